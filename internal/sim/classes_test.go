package sim_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/sim"
)

// shares are for how long nobody, one and several were at work: in all, in the
// runs of each class of fault, and in those in which no other struck.
type shares struct {
	All     sim.Share
	Classes map[sim.Kind]class
	Alone   map[sim.Kind]class
}

type class struct {
	Schedules int
	Share     sim.Share
}

// membership is which classes a seed belongs to: those that struck when hotseat
// played it, so that a class is the same schedules for all electors, also for
// faults that only hotseat can meet. A run counts with its whole length in each of
// its classes. Schedules in which hotseat shares the Lease with client-go's
// elector belong to none, nor to the whole: that is no schedule of one elector.
type membership map[uint64][]sim.Kind

func (m membership) note(seed uint64, hotseat sim.Result) {
	if hotseat.Plan.Pure() {
		m[seed] = slices.Collect(maps.Keys(hotseat.Struck))
	}
}

// add counts a run in; without a class it is one that does not count, since some
// fault strikes in any other.
func (s *shares) add(kinds []sim.Kind, x sim.Share) {
	if kinds == nil {
		return
	}
	one := shares{All: x, Classes: map[sim.Kind]class{}}
	causes := 0
	for _, k := range kinds {
		one.Classes[k] = class{1, x}
		if !slices.Contains([]sim.Kind{sim.Drain, sim.DrainTimeout, sim.VersionTwice}, k) { // what another did
			causes++
		}
	}
	if causes == 1 {
		one.Alone = one.Classes
	}
	s.merge(one)
}

func (s *shares) merge(o shares) {
	s.All.Add(o.All)
	s.Classes = sum(s.Classes, o.Classes)
	s.Alone = sum(s.Alone, o.Alone)
}

func sum(into, from map[sim.Kind]class) map[sim.Kind]class {
	if into == nil {
		into = map[sim.Kind]class{}
	}
	for k, c := range from {
		both := into[k]
		both.Schedules += c.Schedules
		both.Share.Add(c.Share)
		into[k] = both
	}
	return into
}

// classes is the table of them, worst first: it says where hotseat has less time
// with exactly one than one of the others, and, as most runs are in many classes,
// by how much it has more than the best of them where that fault struck alone.
func classes(rows []row) string {
	var b strings.Builder
	fmt.Fprint(&b, "| fault that struck | schedules |")
	for _, r := range rows {
		fmt.Fprintf(&b, " %v: none %% | two %% |", r.Elector)
	}
	fmt.Fprintln(&b, " hotseat has less of exactly one | alone: schedules | hotseat ahead by |")
	fmt.Fprintln(&b, "|---|---|"+strings.Repeat("---|---|", len(rows))+"---|---|---|")
	kinds := slices.SortedFunc(maps.Keys(rows[0].Classes), func(a, b sim.Kind) int {
		return cmp.Or(cmp.Compare(lag(rows, b), lag(rows, a)), cmp.Compare(a, b))
	})
	for _, k := range kinds {
		fmt.Fprintf(&b, "| %s | %d |", k, rows[0].Classes[k].Schedules)
		for _, r := range rows {
			s := r.Classes[k].Share
			fmt.Fprintf(&b, " %s | %s |", percent(s, s.None), percent(s, s.Two))
		}
		fmt.Fprintf(&b, " %s |%s\n", behind(rows, k), alone(rows, k))
	}
	return b.String()
}

// exactly one, in percent.
func (r row) one(k sim.Kind) float64 {
	s := r.Classes[k].Share
	return s.Of(s.One)
}

// lag is by how many points the best of the others has more than hotseat.
func lag(rows []row, k sim.Kind) float64 {
	most := -100.0
	for _, r := range rows[1:] {
		most = max(most, r.one(k)-rows[0].one(k))
	}
	return most
}

func behind(rows []row, k sim.Kind) string {
	var out []string
	for _, r := range rows[1:] {
		if by := r.one(k) - rows[0].one(k); by > 0 {
			out = append(out, fmt.Sprintf("**%v +%.3f**", r.Elector, by))
		}
	}
	return strings.Join(out, ", ")
}

func alone(rows []row, k sim.Kind) string {
	n := rows[0].Alone[k].Schedules
	if n == 0 {
		return " 0 | |"
	}
	best := 0.0
	for _, r := range rows[1:] {
		s := r.Alone[k].Share
		best = max(best, s.Of(s.One))
	}
	s := rows[0].Alone[k].Share
	return fmt.Sprintf(" %d | %+.3f |", n, s.Of(s.One)-best)
}

// percent tells nothing from little.
func percent(s sim.Share, part time.Duration) string {
	if part > 0 && s.Of(part) < 0.001 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", s.Of(part))
}

// TestClassesSayWhereHotseatLags holds the table against figures made up.
func TestClassesSayWhereHotseatLags(t *testing.T) {
	const s = time.Second
	rows := []row{{Elector: sim.Hotseat}, {Elector: sim.ClientGo}, {Elector: sim.ClientGoRelease}}
	for i, x := range []sim.Share{{None: 2 * s, One: 98 * s}, {One: 99 * s, Two: s}, {None: 3 * s, One: 97 * s}} {
		rows[i].shares.add([]sim.Kind{sim.Cut, sim.Delete}, x)
		rows[i].shares.add([]sim.Kind{sim.Cut}, x)
		rows[i].shares.add(nil, x)
	}
	rows[1].shares.add([]sim.Kind{sim.Delete}, sim.Share{None: 100 * s})
	text := classes(rows)
	require.Contains(t, text, "| cut | 2 | 2.000 | 0.000 | 0.000 | 1.000 | 3.000 | 0.000 | **client-go +1.000** | 1 | -1.000 |")
	require.Contains(t, text, "| delete | 1 | 2.000 | 0.000 | 50.000 | 0.500 | 3.000 | 0.000 |  | 0 | |")
	require.Less(t, strings.Index(text, "| cut"), strings.Index(text, "| delete"), "worst first")
	require.Equal(t, 200*s, rows[0].All.None+rows[0].All.One)
}
