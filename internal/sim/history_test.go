package sim_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/sim"
)

// mark is what a guard of one scope must remember: the newest token it admitted,
// or nothing. It shares no code with package fencing.
type mark struct {
	Epoch int64
	Term  string
}

// guardModel is what a guard's answers must be explained by, one call after the
// other.
func guardModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return mark{} },
		Step: func(state, input, output any) (bool, any) {
			m, call := state.(mark), input.(sim.GuardCall)
			presented := mark{call.Token.Epoch, call.Token.Term}
			next := m
			if presented.Epoch > m.Epoch {
				next = presented
			}
			switch err, _ := output.(error); {
			case unheard(call): // it may have been admitted, or refused, or never have arrived
				return true, next
			case err == nil:
				return presented.Epoch > m.Epoch || presented == m, next
			case errors.Is(err, fencing.ErrStale):
				return presented.Epoch < m.Epoch, m
			case errors.Is(err, fencing.ErrConflict):
				return presented.Epoch == m.Epoch && presented.Term != m.Term, m
			}
			return false, m
		},
	}
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
func linearizable(calls []sim.GuardCall) porcupine.CheckResult {
	operations := make([]porcupine.Operation, 0, len(calls))
	for _, c := range calls {
		o := porcupine.Operation{ClientId: c.Node, Input: c, Output: c.Err, Call: c.Call, Return: c.Return}
		if unheard(c) {
			o.Return = math.MaxInt64
		}
		operations = append(operations, o)
	}
	return porcupine.CheckOperationsTimeout(guardModel(), operations, time.Minute)
}

// judge adds what the guard's clients saw to a run's violations.
func judge(r *sim.Result) {
	if result := linearizable(r.Calls); result != porcupine.Ok {
		r.Violations = append(r.Violations, sim.Violation{
			At: r.Plan.Length, Rule: "linearizable guard", Text: "no order of its calls explains its answers: " + string(result),
		})
	}
}

// TestHistoriesOverlap: there is something to search. A history of calls one
// after the other would be explained by its own order.
func TestHistoriesOverlap(t *testing.T) {
	t.Parallel()
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
		want  porcupine.CheckResult
		calls []sim.GuardCall
	}{
		"in order":                          {porcupine.Ok, []sim.GuardCall{call(1, 2, 1, "x", nil), call(3, 4, 2, "y", nil), call(5, 6, 1, "x", stale)}},
		"a lower one after a higher one":    {porcupine.Illegal, []sim.GuardCall{call(1, 2, 2, "y", nil), call(3, 4, 1, "x", nil)}},
		"a lower one beside a higher one":   {porcupine.Ok, []sim.GuardCall{call(1, 4, 2, "y", nil), call(2, 3, 1, "x", nil)}},
		"refused without a reason":          {porcupine.Illegal, []sim.GuardCall{call(1, 2, 1, "x", stale), call(3, 4, 2, "y", nil)}},
		"refused by one nobody heard of":    {porcupine.Ok, []sim.GuardCall{call(1, 0, 2, "y", nil), call(2, 3, 1, "x", stale)}},
		"one epoch, two terms":              {porcupine.Illegal, []sim.GuardCall{call(1, 2, 1, "x", nil), call(3, 4, 1, "y", nil)}},
		"one epoch, the other term refused": {porcupine.Ok, []sim.GuardCall{call(1, 2, 1, "x", nil), call(3, 4, 1, "y", conflict)}},
		"a conflict with a lower epoch":     {porcupine.Illegal, []sim.GuardCall{call(1, 2, 1, "x", nil), call(3, 4, 2, "y", conflict)}},
	} {
		require.Equal(t, c.want, linearizable(c.calls), name)
	}
}
