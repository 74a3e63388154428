package singletontest

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton"
)

// service is one that does as it should, but for what a test changes.
func service(work singleton.Work, change ...func(*singleton.Config)) func(context.Context, *Replica) error {
	return func(ctx context.Context, r *Replica) error {
		config := singleton.Config{
			Name: r.Lease, Namespace: r.Namespace, Replica: singleton.ReplicaConfig{Identity: r.Name}, Logger: slog.New(slog.DiscardHandler),
		}
		for _, f := range change {
			f(&config)
		}
		elector, err := singleton.New(r.Client, config)
		if err != nil {
			return err
		}
		return elector.Run(ctx, r.Work(work))
	}
}

func idle(ctx context.Context, _ *singleton.Term) error {
	<-ctx.Done()
	return nil
}

func TestStorm(t *testing.T) { Storm(t, service(idle)) }

// A process that can lead once is started again.
func TestStormOfOneTerm(t *testing.T) {
	Storm(t, service(idle, func(c *singleton.Config) { c.OneTerm = true }))
}

// What is wrong with a service, the storm tells: each kind of mistake by one script at least.
func TestStormFindsMistakes(t *testing.T) {
	deaf := func(ctx context.Context, _ *singleton.Term) error {
		<-ctx.Done()
		time.Sleep(time.Minute) // far beyond the stop budget
		return nil
	}
	for name, c := range map[string]struct {
		start  func(context.Context, *Replica) error
		script string
		says   string
	}{
		"work outlives its context": {service(deaf), "partition", "began work while the work of"},
		"work returns at once": {
			service(func(context.Context, *singleton.Term) error { return nil }), "handover", "nobody is at work",
		},
		"no elector at all": {
			func(ctx context.Context, r *Replica) error { return r.Work(idle)(ctx, nil) }, "crash", "began work while the work of a",
		},
		"it cannot come back": {
			func() func(context.Context, *Replica) error {
				started := map[string]bool{}
				return func(ctx context.Context, r *Replica) error {
					if r.Name == "a" && started["a"] {
						<-ctx.Done()
						return errors.New("once is enough")
					}
					started[r.Name] = true
					return service(idle)(ctx, r)
				}
			}(), "handover", "a, which was hit, does not come back",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, s := range scripts() {
					if s.name == c.script {
						require.ErrorContains(t, play(s, c.start), c.says)
						return
					}
				}
				require.Fail(t, "there is no such script")
			})
		})
	}
	require.Len(t, scripts(), 10)
}
