package leaderlock_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/leaderlock"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

const second = time.Second

// lab is a cluster in a bubble, with the Lease shop/invoicer shipped.
type lab struct {
	*testing.T
	*singletontest.Cluster
}

func inLab(t *testing.T, f func(l lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
		t.Cleanup(c.Close)
		f(lab{t, c})
	})
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// lines are what was logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l lab) lock(name string, change ...func(*singleton.Config)) *leaderlock.Lock {
	config := singleton.Config{
		Name: "invoicer", Namespace: "shop", Logger: quiet(),
		Replica: singleton.ReplicaConfig{Identity: name},
	}
	for _, change := range change {
		change(&config)
	}
	lock, err := leaderlock.New(l.Client(name), config)
	require.NoError(l, err)
	return lock
}

// timings are those that client-go's side is configured with.
type timings struct{ lease, renew, retry time.Duration }

func defaults() timings { return timings{15 * second, 10 * second, 2 * second} }

// electionConfig is a client-go user's. work and stopped may be nil.
func electionConfig(
	t timings, work func(context.Context), stopped func(),
) leaderelection.LeaderElectionConfig {
	if work == nil {
		work = func(ctx context.Context) { <-ctx.Done() }
	}
	if stopped == nil {
		stopped = func() {}
	}
	return leaderelection.LeaderElectionConfig{
		LeaseDuration: t.lease, RenewDeadline: t.renew, RetryPeriod: t.retry, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: work, OnStoppedLeading: stopped},
	}
}

// running is a call of Run.
type running struct {
	stop context.CancelFunc
	done chan struct{}
	err  error
}

func (r *running) wait() error {
	<-r.done
	return r.err
}

func (r *running) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// run calls f, until the test ends or stop is called.
func (l lab) run(f func(context.Context) error) *running {
	ctx, stop := context.WithCancel(context.Background())
	r := &running{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = f(ctx)
	}()
	l.Cleanup(func() { stop(); <-r.done })
	synctest.Wait()
	return r
}

func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (l lab) holder() string {
	if lease := l.Lease(); lease != nil && lease.Spec.HolderIdentity != nil {
		return *lease.Spec.HolderIdentity
	}
	return ""
}

func (l lab) edit(f func(*coordv1.Lease)) {
	require.NoError(l, l.EditLease(f))
	synctest.Wait()
}

// diary is when work ran, of all replicas.
type diary struct {
	mu    sync.Mutex
	spans []*span
}

type span struct {
	who        string
	from, to   time.Time
	told, over bool // its context has ended; it has returned
}

// work is a callback that needs drain to return.
func (d *diary) work(who string, drain time.Duration) func(context.Context) {
	return func(ctx context.Context) {
		s := &span{who: who, from: time.Now()}
		d.change(func() { d.spans = append(d.spans, s) })
		<-ctx.Done()
		d.change(func() { s.told = true })
		time.Sleep(drain)
		d.change(func() { s.to, s.over = time.Now(), true })
	}
}

func (d *diary) change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// all returns the spans in the order of their begin.
func (d *diary) all() (out []span) {
	d.change(func() {
		for _, s := range d.spans {
			out = append(out, *s)
		}
	})
	return out
}

// now names who is at work.
func (d *diary) now() (who []string) {
	for _, s := range d.all() {
		if !s.over {
			who = append(who, s.who)
		}
	}
	return who
}

// gap is the time from the end of one span to the begin of the next: negative for an overlap.
func (d *diary) gap(t require.TestingT, i int) time.Duration {
	all := d.all()
	require.Greater(t, len(all), i+1, "nobody followed")
	require.True(t, all[i].over, "%s is still at work", all[i].who)
	return all[i+1].from.Sub(all[i].to)
}
