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
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/singleton"
)

// wrongScope is what a guard of another Lease says.
func wrongScope(_ context.Context, t fencing.Token) error {
	return fmt.Errorf("%w: the token's scope is %q, the guard's is %q", fencing.ErrScope, t.Scope, "shop/mailer")
}

// What a guard last said is in Status and in the metrics, whatever it is, and
// ends a term as refused or as unavailable.
func TestGuardFailuresAreShown(t *testing.T) {
	for name, c := range map[string]struct {
		err    func(t fencing.Token) error
		reason string
		ends   string
	}{
		"stale":       {func(t fencing.Token) error { return &fencing.StaleError{Presented: t, Mark: above(500)} }, "stale", "refused"},
		"conflict":    {func(t fencing.Token) error { return &fencing.ConflictError{Presented: t, Mark: above(t.Epoch)} }, "conflict", "refused"},
		"scope":       {func(t fencing.Token) error { return wrongScope(context.Background(), t) }, "scope", "refused"},
		"wiring":      {func(fencing.Token) error { return fmt.Errorf("%w: 404", fencing.ErrWiring) }, "wiring", "refused"},
		"missing":     {func(fencing.Token) error { return fencing.ErrMissing }, "missing", "refused"},
		"malformed":   {func(fencing.Token) error { return fencing.ErrMalformed }, "malformed", "refused"},
		"unavailable": {func(fencing.Token) error { return fmt.Errorf("%w: 503", fencing.ErrUnavailable) }, "unavailable", "unavailable"},
		"other":       {func(fencing.Token) error { return errors.New("no route to host") }, "other", "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				guard := &scripted{Memory: memory(l)}
				var said error
				guard.then(func(_ context.Context, t fencing.Token) error { said = c.err(t); return said })
				a := l.elector("a", fenced(nil, memory(l), guard))
				require.Nil(l, a.Status().Guard)
				require.Zero(l, metric(l, a, "hotseat_guard_failures_total", "reason", c.reason), "there from the start")
				began := time.Now()
				l.run(a, idle)

				failure := a.Status().Guard
				require.NotNil(l, failure)
				require.Equal(l, 1, failure.Guard)
				require.Equal(l, a.Scope(), failure.Token.Scope)
				require.WithinDuration(l, began, failure.At, second)
				require.Equal(l, said, failure.Err)
				require.EqualError(l, failure, fmt.Sprintf("announcing %v to Guards[1]: %v", failure.Token, said))
				require.EqualValues(l, 1, metric(l, a, "hotseat_guard_failures_total", "reason", c.reason))
				require.EqualValues(l, 1, metric(l, a, "hotseat_terms_total", "reason", c.ends))
				require.NoError(l, a.Ready(), "it may be another's turn")

				sleep(4 * second)
				require.True(l, a.Status().Guard.At.After(failure.At), "the last one")
				require.EqualValues(l, 2, metric(l, a, "hotseat_terms_total", "reason", c.ends))

				guard.then(nil)
				sleep(5 * second)
				require.Equal(l, singleton.StateActive, a.Status().State)
				require.Nil(l, a.Status().Guard, "all were told")
			})
		})
	}
}

// The same while work runs; only a later token ends that.
func TestGuardFailuresAreShownDuringWork(t *testing.T) {
	inLab(t, func(l lab) {
		log := &lines{}
		guard := &scripted{Memory: memory(l)}
		a := l.elector("a", fenced(func(c *singleton.Config) { c.Logger = log.logger() }, guard))
		r := l.run(a, idle)
		token := a.Status().Token
		guard.then(wrongScope)
		sleep(5 * time.Minute)
		require.Equal(l, token, a.Status().Token, "work goes on")
		require.ErrorIs(l, a.Status().Guard, fencing.ErrScope)
		require.EqualValues(l, 20, metric(l, a, "hotseat_guard_failures_total", "reason", "scope"))
		require.Equal(l, 1, log.count("level=ERROR"), "said once")
		require.NoError(l, a.Ready())
		guard.then(nil)
		sleep(15 * second)
		require.Nil(l, a.Status().Guard)

		// That an announcement is cut short is not the guard's failure.
		guard.then(func(ctx context.Context, _ fencing.Token) error { <-ctx.Done(); return ctx.Err() })
		sleep(16 * second)
		r.stop()
		require.NoError(l, r.wait(l))
		require.Nil(l, a.Status().Guard)
		require.Zero(l, metric(l, a, "hotseat_guard_failures_total", "reason", "other"))
	})
}

// Announced shows what all guards answered last. An announcement that was cut short says nothing.
func TestAnnouncedShowsTheLastAnswers(t *testing.T) {
	inLab(t, func(l lab) {
		good, bad := &scripted{Memory: memory(l)}, &scripted{Memory: memory(l)}
		a := l.elector("a", fenced(func(*singleton.Config) {}, good, bad))
		_, told := a.Announced()
		require.False(l, told)
		r := l.run(a, idle)
		first, told := a.Announced()
		require.True(l, told)
		require.Equal(l, singleton.Announcement{Token: a.Status().Token, At: first.At, Guards: 2}, first)
		require.True(l, first.At.Equal(time.Now()))

		bad.then(wrongScope)
		sleep(16 * second)
		refused, _ := a.Announced()
		require.Equal(l, 15*second, refused.At.Sub(first.At))
		require.Len(l, refused.Failed, 1)
		require.Equal(l, 1, refused.Failed[0].Guard)
		require.ErrorIs(l, refused.Failed[0], fencing.ErrScope)

		bad.then(func(ctx context.Context, _ fencing.Token) error { <-ctx.Done(); return ctx.Err() })
		sleep(16 * second)
		r.stop()
		require.NoError(l, r.wait(l))
		last, _ := a.Announced()
		require.Equal(l, refused, last)
	})
}

// Without guards nothing is announced.
func TestNothingIsAnnouncedToNobody(t *testing.T) {
	inLab(t, func(l lab) {
		a := l.elector("a")
		l.run(a, idle)
		require.True(l, a.IsActive())
		_, told := a.Announced()
		require.False(l, told)
	})
}

// A guard of another Lease from the start ends Run, as permissions that never
// were do.
func TestGuardWiredToSomethingElseEndsRun(t *testing.T) {
	for name, says := range map[string]error{
		"scope": fencing.ErrScope, "missing": fencing.ErrMissing, "malformed": fencing.ErrMalformed,
		"wiring, as a missing table or a 404": fmt.Errorf("%w: 404 Not Found", fencing.ErrWiring),
		"a mark of another scope":             fmt.Errorf("%w: %w", fencing.ErrUnavailable, fencing.ErrScope),
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				log := &lines{}
				guard := &scripted{Memory: memory(l)}
				guard.then(func(context.Context, fencing.Token) error { return says })
				a := l.elector("a", fenced(func(c *singleton.Config) { c.Logger = log.logger() }, guard))
				r := l.run(a, func(context.Context, *singleton.Term) error { panic("must not start") })
				require.Equal(l, 1, log.count("level=ERROR"), "said at once")
				sleep(15*second - 1)
				require.NotEqual(l, singleton.StateStopped, a.Status().State, "not before a lease is over")
				sleep(5 * second)
				require.Equal(l, singleton.StateStopped, a.Status().State)
				err := r.wait(l)
				require.ErrorIs(l, err, says)
				require.ErrorContains(l, err, "singleton: lease shop/invoicer: announcing shop/invoicer@")
				var failure *singleton.GuardError
				require.ErrorAs(l, err, &failure)
				require.Zero(l, failure.Guard)
				require.Equal(l, failure, a.Status().Guard)
				require.True(l, l.record().Released())
				require.Error(l, a.Ready())
			})
		})
	}
}

// What is not from the start, or could mend by itself, is waited out.
func TestGuardsThatMendEndNobody(t *testing.T) {
	whole.Only(t)
	t.Parallel()
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
				guard := &scripted{Memory: memory(l)}
				if !c.first {
					guard.then(c.says)
				}
				a := l.elector("a", fenced(nil, guard))
				r := l.run(a, idle)
				guard.then(c.says)
				a.Resign()
				sleep(10 * time.Minute)
				require.Equal(l, singleton.StateStandby, a.Status().State)
				require.NotNil(l, a.Status().Guard)
				require.Greater(l, guard.asked.Load(), int32(100), "tried again and again")
				guard.then(nil)
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
		guard := &scripted{Memory: memory(l)}
		a := l.elector("a", fenced(nil, guard))
		guard.then(wrongScope)
		l.run(a, idle)
		guard.then(func(context.Context, fencing.Token) error { return fencing.ErrUnavailable })
		sleep(10 * second) // asked each HoldOff, 4 s
		guard.then(wrongScope)
		sleep(10 * second)
		require.Equal(l, singleton.StateStandby, a.Status().State)
		guard.then(nil)
		sleep(5 * second)
		require.Equal(l, singleton.StateActive, a.Status().State)
	})
}

// A server that is wired to another Lease for less than a lease ends nobody,
// and a replica that is wired so leaves the Lease to those that are not.
func TestMiswiredReplicaAmongOthers(t *testing.T) {
	inLab(t, func(l lab) {
		guard := &scripted{Memory: memory(l)}
		guard.then(wrongScope)
		a, b := l.elector("a", fenced(nil, guard)), l.elector("b", fenced(nil, memory(l)))
		l.run(a, idle)
		r := l.run(b, idle)
		require.Equal(l, singleton.StateActive, b.Status().State)
		require.NotNil(l, a.Status().Guard)
		guard.then(nil)
		sleep(time.Minute)
		require.NoError(l, a.Ready())
		r.stop()
		require.NoError(l, r.wait(l))
		synctest.Wait()
		require.Equal(l, singleton.StateActive, a.Status().State)
		require.Nil(l, a.Status().Guard)
	})
}
