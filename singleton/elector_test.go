package singleton_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

func TestRunWorksUntilItsContextEnds(t *testing.T) {
	inLab(t, func(l lab) {
		e := l.elector("a")
		require.Equal(l, singleton.StateStopped, e.Status().State)
		require.Error(l, e.Ready())
		var cause error
		var fromContext fencing.Token
		var held *singleton.Term
		r := l.run(e, func(ctx context.Context, term *singleton.Term) error {
			held = term
			fromContext, _ = fencing.FromContext(ctx)
			<-ctx.Done()
			cause = context.Cause(ctx)
			assert.True(l, term.Valid(), "while work drains the Lease is kept")
			return errors.New("could not say goodbye")
		})
		s := e.Status()
		require.Equal(l, singleton.StateActive, s.State)
		require.Equal(l, held.Token(), s.Token)
		require.Equal(l, held.Token(), fromContext)
		require.Equal(l, singleton.Holder{Identity: e.Identity(), Token: s.Token, Self: true}, s.Holder)
		require.Equal(l, 10*second, s.ValidFor)
		require.True(l, held.Valid())
		require.Equal(l, 10*second, time.Until(held.Deadline()))
		require.Equal(l, lease.Timing{}.WithDefaults().StopBudget(), held.StopBudget())
		require.NoError(l, e.Ready())
		require.NoError(l, e.Live())
		require.ErrorIs(l, e.Run(context.Background(), idle), singleton.ErrRunning)
		sleep(time.Minute)
		require.InDelta(l, 10*second, time.Until(held.Deadline()), float64(2*second))

		r.stop()
		require.NoError(l, r.wait(l), "ctx ended: nil")
		require.ErrorIs(l, cause, singleton.ErrShuttingDown)
		require.ErrorIs(l, cause, context.Canceled, "net/http returns the cause")
		require.NotErrorIs(l, cause, singleton.ErrLost)
		require.EqualError(l, cause, "shutting down")
		require.True(l, l.record().Released())
		require.False(l, held.Valid())
		require.LessOrEqual(l, time.Until(held.Deadline()), time.Duration(0))
		require.Equal(l, singleton.StateStopped, e.Status().State)
		require.Zero(l, e.Status().ValidFor)
		require.Zero(l, e.Status().Token)
	})
}

func TestWorkThatReturnsEndsRun(t *testing.T) {
	failure := errors.New("disk full")
	for _, want := range []error{nil, failure, fmt.Errorf("wrapped: %w", &singleton.PanicError{Value: "another elector's"})} {
		inLab(t, func(l lab) {
			e := l.elector("a")
			r := l.run(e, func(context.Context, *singleton.Term) error { return want })
			require.Equal(l, want, r.wait(l))
			require.True(l, l.record().Released())
			require.EqualValues(l, 1, metric(l, e, "hotseat_terms_total", "reason", "returned"))

			again := l.run(e, idle) // stands back first
			require.Equal(l, singleton.StateStandby, e.Status().State)
			sleep(4 * second)
			synctest.Wait()
			require.Equal(l, singleton.StateActive, e.Status().State)
			again.stop()
			require.NoError(l, again.wait(l))
		})
	}
}

func TestWorkThatPanics(t *testing.T) {
	for name, test := range map[string]struct {
		work singleton.Work
		says string
	}{
		"panic":  {func(context.Context, *singleton.Term) error { panic(io.ErrUnexpectedEOF) }, "work or hook panicked: unexpected EOF"},
		"nil":    {func(context.Context, *singleton.Term) error { panic(nil) }, "panicked"}, //nolint:govet // the hard case
		"Goexit": {func(context.Context, *singleton.Term) error { runtime.Goexit(); return nil }, "runtime.Goexit was called"},
		"draining": {func(ctx context.Context, term *singleton.Term) error {
			term.Resign()
			<-ctx.Done()
			panic("too late")
		}, "too late"},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				r := l.run(l.elector("a"), test.work)
				<-r.done
				panicked, ok := r.panicked.(*singleton.PanicError)
				require.True(l, ok, "%v", r.panicked)
				require.ErrorContains(l, panicked, test.says)
				require.NotEmpty(l, panicked.Stack)
				require.True(l, l.record().Released(), "the term was given up first")
				if name == "panic" {
					require.ErrorIs(l, panicked, io.ErrUnexpectedEOF)
				}
			})
		})
	}
}

func TestResignHandsOverAndStandsBack(t *testing.T) {
	inLab(t, func(l lab) {
		a, b := l.elector("a"), l.elector("b")
		var causes []error
		l.run(a, func(ctx context.Context, _ *singleton.Term) error {
			<-ctx.Done()
			causes = append(causes, context.Cause(ctx))
			return nil // work that ends because its context did has not "returned by itself"
		})
		a.Resign()
		synctest.Wait()
		require.Equal(l, singleton.StateStandby, a.Status().State)
		require.Len(l, causes, 1)
		require.ErrorIs(l, causes[0], singleton.ErrResigned)
		sleep(3999 * time.Millisecond)
		require.Equal(l, singleton.StateStandby, a.Status().State, "stands back for HoldOff even with nobody else")
		sleep(time.Millisecond)
		synctest.Wait()
		require.Equal(l, singleton.StateActive, a.Status().State)

		l.run(b, idle)
		b.Resign() // not active: nothing
		a.Resign()
		synctest.Wait()
		require.Equal(l, singleton.StateActive, b.Status().State)
		require.EqualValues(l, 2, metric(l, a, "hotseat_terms_total", "reason", "resigned"))
		sleep(time.Minute)
		require.Equal(l, singleton.StateActive, b.Status().State)
	})
}

func TestIneligibleNeverAcquires(t *testing.T) {
	t.Parallel()
	inLab(t, func(l lab) {
		e := l.elector("a")
		e.SetEligible(false)
		l.run(e, idle)
		sleep(time.Hour)
		require.Equal(l, singleton.StateStandby, e.Status().State)
		e.SetEligible(true)
		synctest.Wait()
		require.Equal(l, singleton.StateActive, e.Status().State)
		e.SetEligible(false)
		sleep(time.Hour)
		require.Equal(l, singleton.StateActive, e.Status().State, "its term goes on")
		e.Resign()
		sleep(time.Hour)
		require.Equal(l, singleton.StateStandby, e.Status().State)
	})
}

func TestWarmUpComesFirst(t *testing.T) {
	inLab(t, func(l lab) {
		var warm atomic.Int32
		e := l.elector("a", func(c *singleton.Config) {
			c.Replica.WarmUp = func(context.Context) error { time.Sleep(time.Minute); warm.Add(1); return nil }
		})
		l.run(e, func(ctx context.Context, _ *singleton.Term) error { warm.Add(1); <-ctx.Done(); return nil })
		require.Equal(l, singleton.StateWarming, e.Status().State)
		require.Error(l, e.Ready(), "not able to take over yet")
		sleep(59 * second)
		require.Empty(l, l.record().Holder())
		sleep(time.Second)
		synctest.Wait()
		require.Equal(l, singleton.StateActive, e.Status().State)
		require.EqualValues(l, 2, warm.Load())
	})
	failure := errors.New("no cache")
	inLab(t, func(l lab) {
		e := l.elector("a", func(c *singleton.Config) { c.Replica.WarmUp = func(context.Context) error { return failure } })
		err := l.run(e, idle).wait(l)
		require.ErrorIs(l, err, failure)
		require.EqualError(l, err, "singleton: warm up: no cache")
	})
	inLab(t, func(l lab) { // shut down meanwhile
		e := l.elector("a", func(c *singleton.Config) {
			c.Replica.WarmUp = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		})
		r := l.run(e, idle)
		r.stop()
		require.NoError(l, r.wait(l))
	})
	inLab(t, func(l lab) {
		e := l.elector("a", func(c *singleton.Config) { c.Replica.WarmUp = func(context.Context) error { panic("cold") } })
		r := l.run(e, idle)
		<-r.done
		require.ErrorContains(l, r.panicked.(error), "cold")
	})
}

// A standby that warms up for long counts the holder's time from when it saw
// the change, not from when it was warm.
func TestObservesWhileWarming(t *testing.T) {
	inLab(t, func(l lab) {
		l.edit(func(x *coordv1.Lease) {
			holder, seconds := "gone", int32(15)
			x.Spec.HolderIdentity, x.Spec.LeaseDurationSeconds = &holder, &seconds
		})
		e := l.elector("a", func(c *singleton.Config) {
			c.Replica.WarmUp = func(context.Context) error { time.Sleep(14 * second); return nil }
		})
		l.run(e, idle)
		sleep(15 * second)
		synctest.Wait()
		require.Equal(l, singleton.StateActive, e.Status().State)
	})
}

func TestOverrunIsReported(t *testing.T) {
	inLab(t, func(l lab) {
		var overran, lost atomic.Int32
		e := l.elector("a", func(c *singleton.Config) {
			c.Hooks.OnOverrun = func(*singleton.Term) { overran.Add(1) }
			c.Hooks.OnLose = func(*singleton.Term, error) { lost.Add(1) }
		})
		release := make(chan struct{})
		l.run(e, func(_ context.Context, term *singleton.Term) error { <-release; return nil })
		l.Link("a").BlackHole()
		sleep(10 * second)
		synctest.Wait()
		require.Equal(l, singleton.StateDraining, e.Status().State)
		require.Zero(l, e.Status().ValidFor)
		sleep(4285 * time.Millisecond)
		synctest.Wait()
		require.Zero(l, overran.Load(), "within its stop budget of 4.2857 s")
		require.NoError(l, e.Live())
		sleep(time.Millisecond)
		synctest.Wait()
		require.EqualValues(l, 1, overran.Load())
		require.Error(l, e.Live())
		require.True(l, e.Status().Overrun)
		require.EqualValues(l, 1, metric(l, e, "hotseat_overruns_total"))
		require.EqualValues(l, 1, metric(l, e, "hotseat_overrun"))
		require.Zero(l, lost.Load(), "not before work has returned")
		close(release)
		synctest.Wait()
		require.EqualValues(l, 1, lost.Load())
		require.NoError(l, e.Live())
		require.Equal(l, singleton.StateStandby, e.Status().State)
	})
}

// A graceful drain of any length is no overrun: the Lease is kept meanwhile.
func TestLongDrainKeepsTheLease(t *testing.T) {
	inLab(t, func(l lab) {
		e, b := l.elector("a"), l.elector("b")
		r := l.run(e, func(ctx context.Context, _ *singleton.Term) error {
			<-ctx.Done()
			time.Sleep(time.Minute)
			return nil
		})
		l.run(b, idle)
		r.stop()
		sleep(59 * second)
		require.Equal(l, e.Identity(), l.record().Holder())
		require.Equal(l, singleton.StateDraining, e.Status().State)
		require.Positive(l, e.Status().ValidFor)
		require.Zero(l, metric(l, e, "hotseat_overruns_total"))
		sleep(second)
		synctest.Wait()
		require.Equal(l, singleton.StateActive, b.Status().State)
	})
}

// Work that never returns keeps the Lease: after Config.Replica.DrainLimit that is told, once.
func TestStuckDrainIsTold(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	inLab(t, func(l lab) {
		told := 0
		e := l.elector("a", func(c *singleton.Config) {
			c.Replica.DrainLimit = time.Minute
			c.Hooks.OnOverrun = func(*singleton.Term) { told++ }
		})
		stuck := make(chan struct{})
		free := sync.OnceFunc(func() { close(stuck) })
		l.run(e, func(context.Context, *singleton.Term) error { <-stuck; return nil })
		l.Cleanup(free)
		e.Resign()
		sleep(time.Minute - 1)
		require.NoError(l, e.Live())
		sleep(1)
		require.Error(l, e.Live())
		require.True(l, e.Status().Overrun)
		sleep(time.Hour)
		require.Equal(l, 1, told)
		require.EqualValues(l, 1, metric(l, e, "hotseat_overruns_total"))
		require.Positive(l, e.Status().ValidFor)
		require.Equal(l, e.Identity(), l.record().Holder(), "it is kept all the same")
		free()
		sleep(second)
		require.NoError(l, e.Live())
	})
}

// Lost while draining: nothing is released over the successor.
func TestLostWhileDraining(t *testing.T) {
	inLab(t, func(l lab) {
		e := l.elector("a")
		r := l.run(e, func(ctx context.Context, term *singleton.Term) error {
			<-ctx.Done()
			time.Sleep(6 * second)
			assert.False(l, term.Valid())
			return nil
		})
		r.stop()
		sleep(second)
		l.edit(func(x *coordv1.Lease) { other := "intruder"; x.Spec.HolderIdentity = &other })
		require.NoError(l, r.wait(l))
		require.Equal(l, "intruder", l.record().Holder())
		require.EqualValues(l, 1, metric(l, e, "hotseat_terms_total", "reason", "shutdown"))
	})
}

func TestNilWork(t *testing.T) {
	inLab(t, func(l lab) {
		require.ErrorContains(l, l.elector("a").Run(context.Background(), nil), "work <nil> must not be nil")
	})
}

func TestStatesHaveNames(t *testing.T) {
	names := ""
	for s := singleton.StateStopped; s <= singleton.StateDraining; s++ {
		names += s.String() + " "
	}
	require.Equal(t, "stopped warming standby acquiring active draining ", names)
}
