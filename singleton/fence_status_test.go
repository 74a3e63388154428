package singleton_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
)

// wrongScope is what a guard of another Lease says.
func wrongScope(_ context.Context, t fencing.Token) error {
	return fmt.Errorf("%w: the token is of %q, the guard is for %q", fencing.ErrScope, t.Scope, "shop/mailer")
}

// What a fence last said is in Status and in the metrics, whatever it is, and
// ends a term as refused or as unavailable.
func TestFenceFailuresAreShown(t *testing.T) {
	for name, c := range map[string]struct {
		err    func(t fencing.Token) error
		reason string
		ends   string
	}{
		"stale":       {func(t fencing.Token) error { return &fencing.StaleError{Presented: t, Mark: above(500)} }, "stale", "refused"},
		"conflict":    {func(t fencing.Token) error { return &fencing.ConflictError{Presented: t, Mark: above(t.Epoch)} }, "conflict", "refused"},
		"scope":       {func(t fencing.Token) error { return wrongScope(context.Background(), t) }, "scope", "refused"},
		"missing":     {func(fencing.Token) error { return fencing.ErrMissing }, "missing", "refused"},
		"malformed":   {func(fencing.Token) error { return fencing.ErrMalformed }, "malformed", "refused"},
		"unavailable": {func(fencing.Token) error { return fmt.Errorf("%w: 503", fencing.ErrUnavailable) }, "unavailable", "unavailable"},
		"other":       {func(fencing.Token) error { return errors.New("no route to host") }, "other", "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				fence := &scripted{Memory: memory(l)}
				var said error
				fence.then(func(_ context.Context, t fencing.Token) error { said = c.err(t); return said })
				a := l.elector("a", fenced(nil, memory(l), fence))
				require.Nil(l, a.Status().Fence)
				require.Zero(l, metric(l, a, "hotseat_fence_failures_total", "reason", c.reason), "there from the start")
				began := time.Now()
				l.run(a, idle)

				failure := a.Status().Fence
				require.NotNil(l, failure)
				require.Equal(l, 1, failure.Fence)
				require.Equal(l, "shop/invoicer", failure.Token.Scope)
				require.WithinDuration(l, began, failure.At, second)
				require.Equal(l, said, failure.Err)
				require.EqualError(l, failure, fmt.Sprintf("announcing %v to Fences[1]: %v", failure.Token, said))
				require.EqualValues(l, 1, metric(l, a, "hotseat_fence_failures_total", "reason", c.reason))
				require.EqualValues(l, 1, metric(l, a, "hotseat_terms_total", "reason", c.ends))
				require.NoError(l, a.Ready(), "it may be another's turn")

				sleep(4 * second)
				require.True(l, a.Status().Fence.At.After(failure.At), "the last one")
				require.EqualValues(l, 2, metric(l, a, "hotseat_terms_total", "reason", c.ends))

				fence.then(nil)
				sleep(5 * second)
				require.Equal(l, singleton.StateActive, a.Status().State)
				require.Nil(l, a.Status().Fence, "all were told")
			})
		})
	}
}

// The same while work runs; only a later token ends that.
func TestFenceFailuresAreShownDuringWork(t *testing.T) {
	inLab(t, func(l lab) {
		log := &lines{}
		fence := &scripted{Memory: memory(l)}
		a := l.elector("a", fenced(func(c *singleton.Config) { c.Logger = log.logger() }, fence))
		r := l.run(a, idle)
		token := a.Status().Token
		fence.then(wrongScope)
		sleep(5 * time.Minute)
		require.Equal(l, token, a.Status().Token, "work goes on")
		require.ErrorIs(l, a.Status().Fence, fencing.ErrScope)
		require.EqualValues(l, 20, metric(l, a, "hotseat_fence_failures_total", "reason", "scope"))
		require.Equal(l, 1, log.count("level=ERROR"), "said once")
		require.NoError(l, a.Ready())
		fence.then(nil)
		sleep(15 * second)
		require.Nil(l, a.Status().Fence)

		// That an announcement is cut short is not the fence's failure.
		fence.then(func(ctx context.Context, _ fencing.Token) error { <-ctx.Done(); return ctx.Err() })
		sleep(16 * second)
		r.stop()
		require.NoError(l, r.wait(l))
		require.Nil(l, a.Status().Fence)
		require.Zero(l, metric(l, a, "hotseat_fence_failures_total", "reason", "other"))
	})
}

// A fence of another Lease from the start ends Run, as permissions that never
// were do.
func TestFenceWiredToSomethingElseEndsRun(t *testing.T) {
	for name, says := range map[string]error{
		"scope": fencing.ErrScope, "missing": fencing.ErrMissing, "malformed": fencing.ErrMalformed,
		"wiring, as a missing table or a 404": fmt.Errorf("%w: 404 Not Found", fencing.ErrWiring),
		"a mark of another scope":             fmt.Errorf("%w: %w", fencing.ErrUnavailable, fencing.ErrScope),
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				log := &lines{}
				fence := &scripted{Memory: memory(l)}
				fence.then(func(context.Context, fencing.Token) error { return says })
				a := l.elector("a", fenced(func(c *singleton.Config) { c.Logger = log.logger() }, fence))
				r := l.run(a, func(context.Context, *singleton.Term) error { panic("must not start") })
				require.Equal(l, 1, log.count("level=ERROR"), "said at once")
				sleep(15*second - 1)
				require.NotEqual(l, singleton.StateStopped, a.Status().State, "not before a lease is over")
				sleep(5 * second)
				require.Equal(l, singleton.StateStopped, a.Status().State)
				err := r.wait(l)
				require.ErrorIs(l, err, says)
				require.ErrorContains(l, err, "singleton: lease shop/invoicer: announcing shop/invoicer@")
				var failure *singleton.FenceError
				require.ErrorAs(l, err, &failure)
				require.Zero(l, failure.Fence)
				require.Equal(l, failure, a.Status().Fence)
				require.True(l, l.record().Released())
				require.Error(l, a.Ready())
			})
		})
	}
}

// What is not from the start, or could mend by itself, is waited out.
func TestFencesThatMendEndNobody(t *testing.T) {
	stale := func(_ context.Context, t fencing.Token) error {
		return &fencing.StaleError{Presented: t, Mark: above(1 << 60)}
	}
	for name, c := range map[string]struct {
		first bool // a token is taken first
		says  func(ctx context.Context, t fencing.Token) error
	}{
		"wired to something else later": {true, wrongScope},
		"unavailable":                   {false, func(context.Context, fencing.Token) error { return fencing.ErrUnavailable }},
		"a higher mark":                 {false, stale},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				fence := &scripted{Memory: memory(l)}
				if !c.first {
					fence.then(c.says)
				}
				a := l.elector("a", fenced(nil, fence))
				r := l.run(a, idle)
				fence.then(c.says)
				a.Resign()
				sleep(10 * time.Minute)
				require.Equal(l, singleton.StateStandby, a.Status().State)
				require.NotNil(l, a.Status().Fence)
				require.Greater(l, fence.asked.Load(), int32(100), "tried again and again")
				fence.then(nil)
				sleep(5 * second)
				require.Equal(l, singleton.StateActive, a.Status().State)
				r.stop()
				require.NoError(l, r.wait(l))
			})
		})
	}
}

// Nor is one that said something else in between.
func TestUnfitWithOtherAnswersBetween(t *testing.T) {
	inLab(t, func(l lab) {
		fence := &scripted{Memory: memory(l)}
		a := l.elector("a", fenced(nil, fence))
		fence.then(wrongScope)
		l.run(a, idle)
		fence.then(func(context.Context, fencing.Token) error { return fencing.ErrUnavailable })
		sleep(10 * second) // asked each HoldOff, 4 s
		fence.then(wrongScope)
		sleep(10 * second)
		require.Equal(l, singleton.StateStandby, a.Status().State)
		fence.then(nil)
		sleep(5 * second)
		require.Equal(l, singleton.StateActive, a.Status().State)
	})
}

// A server that is wired to another Lease for less than a lease ends nobody,
// and a replica that is wired so leaves the Lease to those that are not.
func TestMiswiredReplicaAmongOthers(t *testing.T) {
	inLab(t, func(l lab) {
		fence := &scripted{Memory: memory(l)}
		fence.then(wrongScope)
		a, b := l.elector("a", fenced(nil, fence)), l.elector("b", fenced(nil, memory(l)))
		l.run(a, idle)
		r := l.run(b, idle)
		require.Equal(l, singleton.StateActive, b.Status().State)
		require.NotNil(l, a.Status().Fence)
		fence.then(nil)
		sleep(time.Minute)
		require.NoError(l, a.Ready())
		r.stop()
		require.NoError(l, r.wait(l))
		synctest.Wait()
		require.Equal(l, singleton.StateActive, a.Status().State)
		require.Nil(l, a.Status().Fence)
	})
}
