package singletontest

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/lease"
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

// Services that do as they should, each in its way.
func TestStormOfSoundServices(t *testing.T) {
	slow := func(d time.Duration) singleton.Work {
		return func(ctx context.Context, _ *singleton.Term) error {
			<-ctx.Done()
			time.Sleep(d)
			return context.Cause(ctx)
		}
	}
	timed := func(l, r, p time.Duration) func(*singleton.Config) {
		return func(c *singleton.Config) { c.Timing = lease.Timing{LeaseDuration: l, RenewDeadline: r, RetryPeriod: p} }
	}
	for name, start := range map[string]func(context.Context, *Replica) error{
		"drains within its stop budget": service(slow(4 * time.Second)),
		"the same, one term":            service(slow(4*time.Second), func(c *singleton.Config) { c.OneTerm = true }),
		"warms up": service(idle, func(c *singleton.Config) {
			c.Replica.WarmUp = func(context.Context) error { time.Sleep(time.Minute); return nil }
		}),
		"long stop budget": service(slow(40*time.Second), timed(time.Minute, 10*time.Second, 2*time.Second)),
		"short":            service(idle, timed(2*time.Second, time.Second, 100*time.Millisecond)),
		"long":             service(idle, timed(time.Minute, 45*time.Second, 5*time.Second)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if slices.Contains([]string{"warms up", "long stop budget", "short", "long"}, name) {
				whole.Only(t)
			}
			Storm(t, start)
		})
	}
}

// Work that never returns cannot be ended: the storm tells, and ends the test.
func TestStormOfWorkThatNeverReturns(t *testing.T) {
	const alone = "HOTSEAT_TEST_DEAF"
	if os.Getenv(alone) != "" {
		Storm(t, service(func(context.Context, *singleton.Term) error {
			for {
				time.Sleep(time.Second)
			}
		}))
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=5m")
	child.Env = append(os.Environ(), alone+"=1")
	said, err := child.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(said), "has not ended an hour after its context")
	require.Contains(t, string(said), "what happened:")
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
			service(func(context.Context, *singleton.Term) error { return nil }), "handover", "returned although its term went on",
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
			}(), "handover", "a, which was hit, did not become active again",
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
