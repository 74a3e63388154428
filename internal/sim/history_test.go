package sim_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/linear"
	"github.com/hotseat-go/hotseat/internal/sim"
	"github.com/hotseat-go/hotseat/internal/whole"
)

// mark is what a guard of one scope must remember: the newest token it admitted,
// or nothing. It shares no code with package fencing.
type mark struct {
	Epoch int64
	Term  string
}

// guardModel is what a guard's answers must be explained by, one call after the
// other.
func guardModel() linear.Model[mark, sim.GuardCall] {
	return linear.Model[mark, sim.GuardCall]{Step: func(m mark, call sim.GuardCall) []mark {
		presented := mark{call.Token.Epoch, call.Token.Term}
		next, possible := m, false
		if presented.Epoch > m.Epoch {
			next = presented
		}
		switch err := call.Err; {
		case unheard(call): // it may have been admitted, or refused, or never have arrived
			possible = true
		case err == nil:
			possible = presented.Epoch > m.Epoch || presented == m
		case errors.Is(err, fencing.ErrStale):
			next, possible = m, presented.Epoch < m.Epoch
		case errors.Is(err, fencing.ErrConflict):
			next, possible = m, presented.Epoch == m.Epoch && presented.Term != m.Term
		}
		if !possible {
			return nil
		}
		return []mark{next}
	}}
}

// unheard reports whether the client does not know what its call did: it heard
// no answer, or one that says so, or the call waited for others' effects, which
// it does only after it raised the mark, and was overtaken.
func unheard(c sim.GuardCall) bool {
	return c.Return == 0 || errors.Is(c.Err, fencing.ErrUnavailable) || c.Waited && c.Err != nil
}

// linearizable reports whether there is an order of the calls, each within its
// own interval, that a guard may have decided them in. A call whose outcome is
// unknown may take effect at any time after it was made.
func linearizable(calls []sim.GuardCall) linear.Verdict {
	operations := make([]linear.Call[sim.GuardCall], 0, len(calls))
	for _, c := range calls {
		o := linear.Call[sim.GuardCall]{From: c.Call, To: c.Return, Call: c}
		if unheard(c) {
			o.To = linear.Never
		}
		operations = append(operations, o)
	}
	return linear.Check(guardModel(), operations, time.Minute)
}

// judge adds what the guard's clients saw to a run's violations.
func judge(r *sim.Result) {
	if result := linearizable(r.Calls); result != linear.Explained {
		r.Violations = append(r.Violations, sim.Violation{
			At: r.Plan.Length, Rule: "linearizable guard", Text: "no order of its calls explains its answers: " + string(result),
		})
	}
}

// TestHistoriesOverlap: there is something to search. A history of calls one
// after the other would be explained by its own order.
func TestHistoriesOverlap(t *testing.T) {
	t.Parallel()
	whole.Only(t)
	overlaps, unknown, refused, waited, timeouts := 0, 0, 0, 0, 0
	for seed := range uint64(historySeeds) {
		p := sim.Draw(seed, sim.Hotseat)
		if seed%2 == 0 {
			resigning(&p)
			p.Faults[0].N = 1000 + 8000*int64(seed%4/2)
		}
		r := play(t, p, false)
		calls := r.Calls
		timeouts += r.Struck[sim.DrainTimeout]
		for i, c := range calls {
			for _, other := range calls[i+1:] {
				if c.Return > 0 && other.Call < c.Return {
					overlaps++
				}
			}
			switch {
			case c.Return == 0:
				unknown++
			case c.Err != nil:
				refused++
			}
			if c.Waited {
				waited++
			}
		}
	}
	t.Logf("%d pairs overlap, %d calls unanswered, %d refused, %d waited for older effects, %d in vain", overlaps, unknown, refused, waited, timeouts)
	require.Positive(t, overlaps)
	require.Positive(t, unknown)
	require.Positive(t, refused)
	require.Positive(t, waited)
	require.Positive(t, timeouts)
}

// TestControlGuardForgets and the next: what only the clients' answers tell is
// enough to see a broken guard.
func TestControlGuardForgets(t *testing.T) {
	shows(t, "linearizable guard", func(p *sim.Plan) {
		resigning(p)
		p.Guard = sim.GuardForgetful
	})
}

func TestControlGuardLowersItsMark(t *testing.T) {
	shows(t, "linearizable guard", func(p *sim.Plan) {
		resigning(p)
		p.Guard = sim.GuardLowering
	})
}

func TestModelTellsGuardsApart(t *testing.T) {
	call := func(from, to int64, epoch int64, term string, err error) sim.GuardCall {
		return sim.GuardCall{Token: fencing.Token{Scope: "a/b", Epoch: epoch, Term: term}, Call: from, Return: to, Err: err}
	}
	stale, conflict := &fencing.StaleError{}, fencing.ErrConflict
	for name, c := range map[string]struct {
		want  linear.Verdict
		calls []sim.GuardCall
	}{
		"in order":                          {linear.Explained, []sim.GuardCall{call(1, 2, 1, "x", nil), call(3, 4, 2, "y", nil), call(5, 6, 1, "x", stale)}},
		"a lower one after a higher one":    {linear.Unexplained, []sim.GuardCall{call(1, 2, 2, "y", nil), call(3, 4, 1, "x", nil)}},
		"a lower one beside a higher one":   {linear.Explained, []sim.GuardCall{call(1, 4, 2, "y", nil), call(2, 3, 1, "x", nil)}},
		"refused without a reason":          {linear.Unexplained, []sim.GuardCall{call(1, 2, 1, "x", stale), call(3, 4, 2, "y", nil)}},
		"refused by one nobody heard of":    {linear.Explained, []sim.GuardCall{call(1, 0, 2, "y", nil), call(2, 3, 1, "x", stale)}},
		"one epoch, two terms":              {linear.Unexplained, []sim.GuardCall{call(1, 2, 1, "x", nil), call(3, 4, 1, "y", nil)}},
		"one epoch, the other term refused": {linear.Explained, []sim.GuardCall{call(1, 2, 1, "x", nil), call(3, 4, 1, "y", conflict)}},
		"a conflict with a lower epoch":     {linear.Unexplained, []sim.GuardCall{call(1, 2, 1, "x", nil), call(3, 4, 2, "y", conflict)}},
	} {
		require.Equal(t, c.want, linearizable(c.calls), name)
	}
}
