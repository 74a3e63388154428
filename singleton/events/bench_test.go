package events_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/events"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// recorder notes what it is told. While blocked is not nil, it blocks until that is closed.
type recorder struct {
	mu      sync.Mutex
	told    []string
	objects []runtime.Object
	blocked chan struct{}
}

func (r *recorder) Eventf(o runtime.Object, severity, reason, format string, args ...any) {
	if r.blocked != nil {
		<-r.blocked
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, severity+" "+reason+" "+fmt.Sprintf(format, args...))
	r.objects = append(r.objects, o)
}

// said is what was told, each without the replica's name.
func (r *recorder) said(e *singleton.Elector) (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.told {
		all = append(all, strings.Replace(line, e.Identity()+" ", "", 1))
	}
	return all
}

// bench is a cluster in a bubble and a replica with a Reporter.
type bench struct {
	*testing.T
	cluster  *singletontest.Cluster
	recorder *recorder
	reporter *events.Reporter
	elector  *singleton.Elector
	stop     context.CancelFunc
	done     chan any // what Run returned or panicked with
}

func onBench(t *testing.T, config events.Config, play func(b *bench), change ...func(*singleton.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, recorder: &recorder{}}
		b.cluster = singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
		t.Cleanup(b.cluster.Close)
		var err error
		b.reporter, err = events.New(b.recorder, config)
		require.NoError(t, err)
		settings := singleton.Config{
			Namespace: "shop", Name: "invoicer", Hooks: b.reporter.Hooks(),
			Replica: singleton.ReplicaConfig{Identity: "a"},
			Logger:  slog.New(slog.DiscardHandler),
		}
		for _, f := range change {
			f(&settings)
		}
		b.elector, err = singleton.New(b.cluster.Client("a"), settings)
		require.NoError(t, err)
		play(b)
	})
}

// run runs the elector until the test ends or stop is called.
func (b *bench) run(work singleton.Work) {
	ctx, stop := context.WithCancel(context.Background())
	b.stop, b.done = stop, make(chan any, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() {
			if p := recover(); p != nil {
				b.done <- p
			}
		}()
		b.done <- b.elector.Run(ctx, work)
	}()
	b.Cleanup(func() { b.cluster.Link("a").Heal(); stop(); <-ended })
	synctest.Wait()
}

func (b *bench) edit(f func(*coordv1.Lease)) {
	require.NoError(b, b.cluster.EditLease(f))
}

func idle(ctx context.Context, _ *singleton.Term) error {
	<-ctx.Done()
	return nil
}

func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

const second = time.Second
