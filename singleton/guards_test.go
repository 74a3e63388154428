package singleton_test

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

func memory(t require.TestingT) *fencing.Memory {
	m, err := fencing.NewMemory(fencing.MemoryConfig{})
	require.NoError(t, err)
	return m
}

// guardFunc is a guard whose Announce is scripted.
type guardFunc struct {
	fencing.Guard
	announce func(ctx context.Context, t fencing.Token) error
}

func (g guardFunc) Announce(ctx context.Context, t fencing.Token) error { return g.announce(ctx, t) }

func fenced(more func(*singleton.Config), guards ...fencing.Guard) func(*singleton.Config) {
	return func(c *singleton.Config) {
		c.Guards = guards
		if more != nil {
			more(c)
		}
	}
}

func TestGuardsAreToldBeforeWorkStarts(t *testing.T) {
	inLab(t, func(l lab) {
		one, two := memory(l), memory(l)
		e := l.elector("a", fenced(nil, one, two))
		checked := 0
		l.run(e, func(ctx context.Context, term *singleton.Term) error {
			for _, guard := range []fencing.Guard{one, two} {
				mark, err := guard.Mark(ctx, fencing.Scope("shop", "invoicer"))
				if assert.NoError(l, err) && assert.Equal(l, term.Token(), mark) {
					checked++
				}
			}
			<-ctx.Done()
			return nil
		})
		require.Equal(l, 2, checked)
	})
}

// Guards are told at the same time: many that are slow cost what one does.
func TestGuardsAreToldSideBySide(t *testing.T) {
	inLab(t, func(l lab) {
		slow := guardFunc{memory(l), func(context.Context, fencing.Token) error { time.Sleep(3 * second); return nil }}
		var worked atomic.Bool
		e := l.elector("a", fenced(nil, slow, slow, slow))
		l.run(e, func(ctx context.Context, _ *singleton.Term) error { worked.Store(true); <-ctx.Done(); return nil })
		sleep(3*second - 1)
		require.False(l, worked.Load())
		sleep(1)
		require.True(l, worked.Load())
	})
}

// The stale write of a replica that lost its term without noticing.
func TestStaleWritesAreRefused(t *testing.T) {
	inLab(t, func(l lab) {
		ledger := memory(l)
		a, b := l.elector("a", fenced(nil, ledger)), l.elector("b", fenced(nil, ledger))
		var old fencing.Token
		var admitted error
		l.run(a, func(ctx context.Context, term *singleton.Term) error {
			old = term.Token()
			admitted = ledger.Check(ctx, old)
			time.Sleep(time.Hour) // ignores its context
			return nil
		})
		require.NoError(l, admitted)
		l.run(b, idle)
		l.Link("a").BlackHole()
		sleep(16 * second)
		require.Equal(l, singleton.StateActive, b.Status().State)
		err := ledger.Check(context.Background(), old)
		require.ErrorIs(l, err, fencing.ErrStale)
		var stale *fencing.StaleError
		require.ErrorAs(l, err, &stale)
		require.Equal(l, b.Status().Token, stale.Mark)
		l.Link("a").Heal()
	})
}

func TestUnavailableGuardStartsNoWork(t *testing.T) {
	inLab(t, func(l lab) {
		var down atomic.Bool
		down.Store(true)
		var asked, worked atomic.Int32
		guard := guardFunc{memory(l), func(ctx context.Context, t fencing.Token) error {
			asked.Add(1)
			if down.Load() {
				return fencing.ErrUnavailable
			}
			return nil
		}}
		a := l.elector("a", fenced(nil, guard))
		r := l.run(a, func(ctx context.Context, _ *singleton.Term) error { worked.Add(1); <-ctx.Done(); return nil })
		require.Equal(l, singleton.StateStandby, a.Status().State)
		require.True(l, l.record().Released(), "given up")
		require.Zero(l, worked.Load())
		sleep(3999 * time.Millisecond)
		require.EqualValues(l, 1, asked.Load(), "stands back")
		b := l.elector("b")
		l.run(b, idle)
		require.Equal(l, singleton.StateActive, b.Status().State, "another replica may be luckier")
		sleep(time.Minute)
		down.Store(false)
		b.Resign()
		synctest.Wait()
		require.Equal(l, singleton.StateActive, a.Status().State)
		require.EqualValues(l, 1, worked.Load())
		require.EqualValues(l, 1, metric(l, a, "hotseat_terms_total", "reason", "unavailable"))
		r.stop()
		require.NoError(l, r.wait(l))
	})
}

// Announcing may take time: the Lease is renewed meanwhile, and a term lost
// meanwhile starts no work.
func TestSlowGuard(t *testing.T) {
	inLab(t, func(l lab) {
		var takes atomic.Int64
		takes.Store(int64(8 * second))
		guard := guardFunc{memory(l), func(ctx context.Context, _ fencing.Token) error {
			select {
			case <-time.After(time.Duration(takes.Load())):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}}
		a := l.elector("a", fenced(nil, guard))
		var worked atomic.Int32
		l.run(a, func(ctx context.Context, _ *singleton.Term) error { worked.Add(1); <-ctx.Done(); return nil })
		sleep(7 * second)
		require.Zero(l, worked.Load())
		require.Greater(l, a.Status().ValidFor, 8*second, "renewed")
		sleep(2 * second)
		require.EqualValues(l, 1, worked.Load())

		takes.Store(int64(time.Hour))
		a.Resign()
		sleep(5 * second)
		require.Equal(l, singleton.StateActive, a.Status().State, "announcing again")
		l.edit(func(x *coordv1.Lease) { other := "x"; x.Spec.HolderIdentity = &other })
		require.Equal(l, singleton.StateStandby, a.Status().State)
		sleep(40 * second)
		require.EqualValues(l, 1, worked.Load(), "each announcement is bounded by RenewDeadline")
	})
}

// A raise takes one write, however slow, and gets along with renewals beside it.
func TestRaiseOnASlowAPIServer(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	for _, takes := range []time.Duration{3 * second, 4 * second, 6 * second} {
		inLab(t, func(l lab) {
			guard := memory(l)
			require.NoError(l, guard.Announce(context.Background(), above(900)))
			l.Link("a").Inject(delayed(takes, 0, "get", "list", "patch", "update"))
			a := l.elector("a", fenced(func(c *singleton.Config) { c.Fencing.MaxRaise = 10_000 }, guard))
			l.run(a, idle)
			sleep(time.Minute)
			require.EqualValues(l, 901, a.Status().Token.Epoch, takes)
			require.Equal(l, singleton.StateActive, a.Status().State)
			sleep(10 * time.Minute)
			require.EqualValues(l, 901, a.Status().Token.Epoch, "one term all the while")
		})
	}
}

// The API server went back in time: a guard holds a higher mark, or ours with
// another term, although the Lease is still ours.
func TestRaiseHealsAnAPIServerThatWentBack(t *testing.T) {
	other := fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 500, Term: "0123456789abcdef0123456789abcdef"}
	raise := func(c *singleton.Config) { c.Fencing.MaxRaise = 10_000 }
	t.Run("stale", func(t *testing.T) {
		inLab(t, func(l lab) {
			one, two := memory(l), memory(l)
			require.NoError(l, one.Announce(context.Background(), other))
			higher := other
			higher.Epoch = 900
			require.NoError(l, two.Announce(context.Background(), higher))
			a := l.elector("a", fenced(raise, one, two))
			l.run(a, idle)
			require.Equal(l, singleton.StateActive, a.Status().State)
			require.EqualValues(l, 901, a.Status().Token.Epoch)
			token, ok := l.record().Token()
			require.True(l, ok)
			require.Equal(l, a.Status().Token, token)
			for _, guard := range []fencing.Guard{one, two} {
				mark, err := guard.Mark(context.Background(), fencing.Scope("shop", "invoicer"))
				require.NoError(l, err)
				require.Equal(l, token, mark)
			}
			sleep(time.Minute)
			require.EqualValues(l, 901, a.Status().Token.Epoch, "one term all the while")
			require.Zero(l, metric(l, a, "hotseat_terms_total", "reason", "refused"))
		})
	})
	t.Run("conflict", func(t *testing.T) {
		inLab(t, func(l lab) {
			guard := memory(l)
			a := l.elector("a", fenced(raise, guardFunc{guard, func(ctx context.Context, t fencing.Token) error {
				same := t
				same.Term = other.Term
				if mark, _ := guard.Mark(ctx, t.Scope); mark.IsZero() {
					_ = guard.Announce(ctx, same)
				}
				return guard.Announce(ctx, t)
			}}))
			l.run(a, idle)
			require.Equal(l, singleton.StateActive, a.Status().State)
		})
	})
	for name, test := range map[string]struct {
		most int64
		mark int64
	}{"off by default": {0, 500}, "too far": {100, 500}, "at the end": {math.MaxInt64, math.MaxInt64}} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				guard := memory(l)
				poisoned := other
				poisoned.Epoch = test.mark
				require.NoError(l, guard.Announce(context.Background(), poisoned))
				a := l.elector("a", fenced(func(c *singleton.Config) { c.Fencing.MaxRaise = test.most }, guard))
				l.run(a, func(context.Context, *singleton.Term) error { panic("must not start") })
				require.Equal(l, singleton.StateStandby, a.Status().State)
				require.EqualValues(l, 1, metric(l, a, "hotseat_terms_total", "reason", "refused"))
				epoch, err := l.record().Epoch()
				require.NoError(l, err)
				require.Less(l, epoch, int64(100), "the mark did not poison the Lease")
			})
		})
	}
}

// A mark of another Lease, whatever it is, says nothing about ours.
func TestNoRaiseOverAnotherLeasesMark(t *testing.T) {
	inLab(t, func(l lab) {
		foreign := fencing.Token{Scope: "shop/other", Epoch: 500, Term: "0123456789abcdef0123456789abcdef"}
		guard := guardFunc{memory(l), func(_ context.Context, t fencing.Token) error {
			return &fencing.StaleError{Presented: t, Mark: foreign}
		}}
		a := l.elector("a", fenced(func(c *singleton.Config) { c.Fencing.MaxRaise = 10_000 }, guard))
		l.run(a, func(context.Context, *singleton.Term) error { panic("must not start") })
		epoch, err := l.record().Epoch()
		require.NoError(l, err)
		require.Less(l, epoch, int64(100))
	})
}

func TestRaiseByTheWork(t *testing.T) {
	inLab(t, func(l lab) {
		guard := memory(l)
		a := l.elector("a", fenced(func(c *singleton.Config) { c.Fencing.MaxRaise = 1000 }, guard))
		ctx, term := l.work(a)
		before := term.Token()
		require.NoError(l, term.Raise(ctx, 700))
		after, ok := fencing.FromContext(ctx)
		require.True(l, ok)
		require.Equal(l, term.Token(), after)
		require.EqualValues(l, 701, after.Epoch)
		require.ErrorIs(l, guard.Check(ctx, before), fencing.ErrStale, "announced")
		require.NoError(l, guard.Check(ctx, after))

		var field *lease.FieldError
		require.ErrorAs(l, term.Raise(ctx, 701+1000), &field)
		require.ErrorContains(l, field, "must be less than Config.Fencing.MaxRaise 1000 above it")
		require.ErrorContains(l, term.Raise(ctx, 5), "must not be below the term's epoch 701")

		l.Link("a").BlackHole()
		short, cancel := context.WithTimeout(ctx, second)
		defer cancel()
		require.ErrorIs(l, term.Raise(short, 800), context.DeadlineExceeded)
		again, cancel := context.WithTimeout(ctx, 3*second) // or validity may be over first
		defer cancel()
		require.Error(l, term.Raise(again, 900), "one at a time, and not without an answer")
		l.Link("a").Heal()
		sleep(30 * second)
		require.EqualValues(l, 701, term.Token().Epoch, "what never arrived is not shown")
		mark, err := guard.Mark(l.Context(), fencing.Scope("shop", "invoicer"))
		require.NoError(l, err)
		require.Equal(l, term.Token(), mark)
		l.edit(func(x *coordv1.Lease) { other := "x"; x.Spec.HolderIdentity = &other })
		require.ErrorIs(l, term.Raise(context.Background(), 800), singleton.ErrLost)
	})
}

func TestRaiseNeverWithoutTheLease(t *testing.T) {
	inLab(t, func(l lab) {
		a := l.elector("a", func(c *singleton.Config) { c.Fencing.MaxRaise = 1000 })
		_, term := l.work(a)
		l.Link("a").Freeze() // its watch does not tell it
		require.NoError(l, l.EditLease("shop", "invoicer", func(x *coordv1.Lease) { other := "x"; x.Spec.HolderIdentity = &other }))
		time.AfterFunc(second, l.Link("a").Heal)
		require.Error(l, term.Raise(context.Background(), 800))
		require.False(l, term.Valid())
		sleep(2 * second)
		require.Equal(l, "x", l.record().Holder())
		require.EqualValues(l, 1, metric(l, a, "hotseat_terms_total", "reason", "taken"))
	})
}

func TestFloorBoundsTheEpoch(t *testing.T) {
	inLab(t, func(l lab) {
		var failing atomic.Bool
		failing.Store(true)
		a := l.elector("a", func(c *singleton.Config) {
			c.Fencing.Floor = func(ctx context.Context) (int64, error) {
				deadline, ok := ctx.Deadline()
				assert.True(l, ok)
				assert.Equal(l, 2500*time.Millisecond, time.Until(deadline))
				if failing.Load() {
					return 0, errors.New("database down")
				}
				return 123_456, nil
			}
		})
		l.run(a, idle)
		sleep(10 * second)
		require.NotEqual(l, singleton.StateActive, a.Status().State, "while it fails, it does not acquire")
		failing.Store(false)
		sleep(3 * second) // failed attempts are up to RetryPeriod apart
		require.EqualValues(l, 123_457, a.Status().Token.Epoch)
	})
}

// Config.Fencing.Floor takes its time. Who takes the Lease meanwhile keeps it.
func TestFloorThatIsSlowerThanAnother(t *testing.T) {
	inWorldWith(t, func(w *world) { w.drain = 4 * second }, func(w *world) {
		_, c := w.replica("c", true)
		sleep(20 * second)
		w.start("a", func(c *singleton.Config) {
			c.Fencing.Floor = func(ctx context.Context) (int64, error) {
				select {
				case <-time.After(1500 * time.Millisecond):
				case <-ctx.Done():
				}
				return 0, ctx.Err()
			}
		})
		w.start("b")
		w.Link("b").Inject(apiserver.Fault{Verbs: []string{"patch"}, DelayBefore: 5 * time.Millisecond}) // as networks do
		sleep(5 * second)
		c.stop()
		sleep(20 * second)
		require.Equal(w, "b", w.who())
	})
}

func TestEpochExhaustedIsWaitedOut(t *testing.T) {
	inLab(t, func(l lab) {
		log := &lines{}
		a := l.elector("a", func(c *singleton.Config) { c.Logger = log.logger() })
		l.edit(func(x *coordv1.Lease) {
			x.Annotations = map[string]string{lease.AnnotationEpoch: "9223372036854775807"}
		})
		l.run(a, idle)
		sleep(30 * second)
		require.Equal(l, singleton.StateStandby, a.Status().State)
		require.Positive(l, log.count("has to be lowered by hand"))
		l.edit(func(x *coordv1.Lease) { x.Annotations[lease.AnnotationEpoch] = "77" })
		sleep(20 * second)
		require.Equal(l, singleton.StateActive, a.Status().State)
		require.EqualValues(l, 78, a.Status().Token.Epoch)
	})
}
