package protocol_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

func isUnavailable(err error) bool { return errors.Is(err, lease.ErrUnavailable) }

// Rules R1 and R2: nothing is waited for longer than its answer is of use. What may be
// repeated is asked again beside it meanwhile.
func TestEveryRequestHasADeadline(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		from, unwritten := b.claim(b.a)
		claim := b.acquire(b.a)
		seen := b.list(b.a)
		free := b.asIf(func(l *coordv1.Lease) {})
		b.c.Link("a").BlackHole()
		for what, request := range b.requests(b.a, from, unwritten, claim, seen, free) {
			began := time.Now()
			require.ErrorIs(b, request(), lease.ErrUnavailable, what)
			require.Equal(b, b.a.Timing.RenewDeadline, time.Since(began), what)
		}
	})
}

// requests are all that a Lock makes, with no deadline of their own.
func (b *bed) requests(l *protocol.Lock, from protocol.Record, unwritten, claim protocol.Claim, seen protocol.Observation, free protocol.Record) map[string]func() error {
	ctx := context.WithoutCancel(b.Context())
	return map[string]func() error{
		"list":    func() error { _, err := l.List(ctx); return err },
		"get":     func() error { _, err := l.Get(ctx); return err },
		"confirm": func() error { _, err := l.Confirm(ctx); return err },
		"before":  func() error { _, _, err := l.Before(ctx, free); return err },
		"create":  func() error { return l.Create(ctx) },
		"take":    func() error { _, err := l.Take(ctx, from, unwritten); return err },
		"ensure":  func() error { _, err := l.Ensure(ctx, from, unwritten); return err },
		"renew":   func() error { _, err := l.Renew(ctx, claim); return err },
		"raise":   func() error { _, err := l.Raise(ctx, claim, 700); return err },
		"release": func() error { return l.Release(ctx, claim) },
		"watch":   func() error { return l.Watch(ctx, seen, nil) },
	}
}

// A request that was swallowed costs a quarter of RenewDeadline, where it may be
// repeated; a slow server is waited for.
func TestAskedAgainBeside(t *testing.T) {
	type request struct {
		verb string
		do   func(b *bed, claim protocol.Claim) error
	}
	requests := map[string]request{
		"list":    {"list", func(b *bed, _ protocol.Claim) error { _, err := b.a.List(b.Context()); return err }},
		"get":     {"get", func(b *bed, _ protocol.Claim) error { _, err := b.a.Get(b.Context()); return err }},
		"confirm": {"get", func(b *bed, _ protocol.Claim) error { _, err := b.a.Confirm(b.Context()); return err }},
		"before":  {"list", func(b *bed, c protocol.Claim) error { _, _, err := b.a.Before(b.Context(), c.Record); return err }},
		"release": {"patch", func(b *bed, c protocol.Claim) error { return b.a.Release(b.Context(), c) }},
		"create": {"create", func(b *bed, c protocol.Claim) error {
			b.c.DeleteLease(ns, name)
			return b.a.Create(b.Context())
		}},
	}
	for name, r := range requests {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) { // the first is swallowed
				b.ship()
				claim := b.acquire(b.a)
				b.c.Link("a").Inject(apiserver.Fault{Verbs: []string{r.verb}, Count: 1, HangRequest: true})
				began := time.Now()
				require.NoError(b, r.do(b, claim))
				require.Equal(b, 2500*time.Millisecond, time.Since(began))
			})
			inBed(t, apiserver.Options{}, func(b *bed) { // it arrives, and its answer is swallowed
				b.ship()
				claim := b.acquire(b.a)
				b.c.Link("a").Inject(apiserver.Fault{Verbs: []string{r.verb}, Count: 1, HangAnswer: true})
				began := time.Now()
				if err := r.do(b, claim); name == "create" {
					require.ErrorIs(b, err, lease.ErrConflict, "there is one")
				} else {
					require.NoError(b, err)
				}
				require.Equal(b, 2500*time.Millisecond, time.Since(began))
			})
			inBed(t, apiserver.Options{}, func(b *bed) { // each takes 6 s
				b.ship()
				claim := b.acquire(b.a)
				b.c.ForgetRequests()
				b.c.Link("a").Inject(apiserver.Fault{Verbs: []string{r.verb}, DelayAfter: 6 * time.Second})
				began := time.Now()
				require.NoError(b, r.do(b, claim))
				require.Equal(b, 6*time.Second, time.Since(began))
				require.Equal(b, 3, b.c.CountRequests("a", r.verb))
			})
		})
	}
	inBed(t, apiserver.Options{}, func(b *bed) { // what counts from its sending is sent once
		b.ship()
		claim := b.acquire(b.a)
		b.c.ForgetRequests()
		b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, DelayAfter: 6 * time.Second})
		_, err := b.a.Renew(b.Context(), claim)
		require.NoError(b, err)
		require.Equal(b, 1, b.c.CountRequests("a"))
	})
}

// stuck is a client that does not return while it hangs, whatever its context says:
// a credential plugin may.
type stuck struct {
	coordclient.LeaseInterface
	hangs   *chan struct{} // closed: it does not
	stopped *int
}

func (s stuck) wait() { <-*s.hangs }

func (s stuck) Create(_ context.Context, l *coordv1.Lease, o metav1.CreateOptions) (*coordv1.Lease, error) {
	s.wait()
	return s.LeaseInterface.Create(context.Background(), l, o)
}

func (s stuck) Update(_ context.Context, l *coordv1.Lease, o metav1.UpdateOptions) (*coordv1.Lease, error) {
	s.wait()
	return s.LeaseInterface.Update(context.Background(), l, o)
}

func (s stuck) Get(_ context.Context, name string, o metav1.GetOptions) (*coordv1.Lease, error) {
	s.wait()
	return s.LeaseInterface.Get(context.Background(), name, o)
}

func (s stuck) List(_ context.Context, o metav1.ListOptions) (*coordv1.LeaseList, error) {
	s.wait()
	return s.LeaseInterface.List(context.Background(), o)
}

func (s stuck) Watch(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
	s.wait()
	w, err := s.LeaseInterface.Watch(context.Background(), o)
	return stream{w, s.stopped}, err
}

func (s stuck) Patch(_ context.Context, name string, pt types.PatchType, data []byte, o metav1.PatchOptions, sub ...string) (*coordv1.Lease, error) {
	s.wait()
	return s.LeaseInterface.Patch(context.Background(), name, pt, data, o, sub...)
}

// stream counts its stops.
type stream struct {
	watch.Interface
	stopped *int
}

func (s stream) Stop() {
	*s.stopped++
	s.Interface.Stop()
}

// stuckLock returns a Lock whose client hangs between hang and resume, and how
// many of its watches were stopped.
func (b *bed) stuckLock() (l *protocol.Lock, hang, resume func(), stopped *int) {
	free := make(chan struct{})
	close(free)
	stopped = new(int)
	l = protocol.NewLock(stuck{b.c.Client("a").Leases(ns), &free, stopped}, b.options("a"))
	return l, func() { free = make(chan struct{}) }, func() { close(free); synctest.Wait() }, stopped
}

// Rule R1: a request that does not end is left behind at its deadline.
func TestRequestThatDoesNotEnd(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		l, hang, resume, _ := b.stuckLock()
		from, unwritten := b.claim(l)
		claim := b.acquire(l)
		seen := b.list(l)
		for what, request := range b.requests(l, from, unwritten, claim, seen, b.stored()) {
			hang()
			began := time.Now()
			err := request()
			require.ErrorIs(b, err, lease.ErrUnavailable, what)
			require.Equal(b, 10*time.Second, time.Since(began), what)
			if what == "watch" {
				require.ErrorIs(b, err, protocol.ErrUnopened)
			}
			resume()
		}
	})
	inBed(t, apiserver.Options{}, func(b *bed) { // nor is one waited for that ends by its caller
		b.ship()
		l, hang, resume, _ := b.stuckLock()
		claim := b.acquire(l)
		seen := b.list(l)
		hang()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		for what, request := range map[string]func() error{
			"list":    func() error { _, err := l.List(ctx); return err },
			"renew":   func() error { _, err := l.Renew(ctx, claim); return err },
			"release": func() error { return l.Release(ctx, claim) },
			"watch":   func() error { return l.Watch(ctx, seen, nil) },
		} {
			require.ErrorIs(b, request(), context.DeadlineExceeded, what)
		}
		require.Equal(b, time.Second, b.a.Clock.Since(seen.At))
		resume()
	})
}

// More than two dozen that do not end: the next fail at once, and cost nothing.
func TestMostUnderway(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		l, hang, resume, _ := b.stuckLock()
		claim := b.acquire(l)
		hang()
		for range 24 {
			b.beside(func(ctx context.Context) (protocol.Claim, error) { return l.Renew(ctx, claim) })
		}
		began := time.Now()
		for what, request := range map[string]func() error{
			"renew": func() error { _, err := l.Renew(b.Context(), claim); return err },
			"list":  func() error { _, err := l.List(b.Context()); return err },
		} {
			err := request()
			require.ErrorIs(b, err, lease.ErrUnavailable, what)
			require.ErrorContains(b, err, "does a credential plugin hang?", what)
		}
		require.Zero(b, time.Since(began))
		time.Sleep(time.Minute)
		_, err := l.Renew(b.Context(), claim)
		require.ErrorContains(b, err, "does a credential plugin hang?", "they still have not ended")
		resume()
		_, err = l.Renew(b.Context(), claim)
		require.NoError(b, err)
		require.Zero(b, b.c.CountRequests("a")-27, "24, and three others")
	})
}

// Rule R1: a watch whose opening hangs says so, and is not left open.
func TestWatchThatDoesNotOpen(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		l, hang, resume, stopped := b.stuckLock()
		seen := b.list(l)
		hang()
		began := time.Now()
		err := l.Watch(b.Context(), seen, nil)
		require.ErrorIs(b, err, protocol.ErrUnopened)
		require.ErrorIs(b, err, lease.ErrUnavailable)
		require.Equal(b, 10*time.Second, time.Since(began))
		require.Zero(b, *stopped)
		resume()
		require.Equal(b, 1, *stopped, "it opened after all")
	})
	inBed(t, apiserver.Options{}, func(b *bed) { // accepted, its header held back
		b.ship()
		b.c.Link("a").Inject(apiserver.Fault{Verbs: []string{"watch"}, HangAnswer: true})
		err := b.a.Watch(b.Context(), b.list(b.a), nil)
		require.ErrorIs(b, err, protocol.ErrUnopened)
		require.ErrorContains(b, err, "does a proxy buffer its answer?")
	})
	inBed(t, apiserver.Options{}, func(b *bed) { // one that is slow only
		b.ship()
		from := b.list(b.a)
		b.c.Link("a").Inject(apiserver.Fault{Verbs: []string{"watch"}, DelayBefore: 9 * time.Second})
		seen, stop := watching(b, from)
		time.Sleep(10 * time.Second)
		b.label("x")
		synctest.Wait()
		require.Len(b, *seen, 1)
		require.Error(b, stop())
	})
}
