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
// runs of each class of fault, and in schedules of which that is the only fault.
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
	for _, k := range kinds {
		one.Classes[k] = class{1, x}
	}
	s.merge(one)
}

// addAlone counts a schedule in whose only fault is of that kind.
func (s *shares) addAlone(k sim.Kind, x sim.Share) {
	s.merge(shares{Alone: map[sim.Kind]class{k: {1, x}}})
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

// classes is the table of the mixed schedules, worst first: it says where hotseat has
// less time with exactly one than one of the others. Most runs are in many classes:
// what a class costs by itself is in the other table.
func classes(rows []row) string {
	var b strings.Builder
	head(&b, rows, "fault that struck")
	fmt.Fprintln(&b, " hotseat has less of exactly one |")
	fmt.Fprintln(&b, "|---|---|"+strings.Repeat("---|---|", len(rows))+"---|")
	lag := func(k sim.Kind) float64 { return lead(rows, func(r row) sim.Share { return r.Classes[k].Share }) }
	for _, k := range sorted(rows[0].Classes, lag) {
		figures(&b, rows, k, func(r row) class { return r.Classes[k] })
		fmt.Fprintf(&b, " %s |\n", behind(rows, k))
	}
	return b.String()
}

// lone is the table of the schedules of one fault each, worst first, with the rule
// that costs it where hotseat has less time with exactly one than the best of the
// others.
func lone(rows []row) string {
	var b strings.Builder
	head(&b, rows, "only fault")
	fmt.Fprintln(&b, " hotseat ahead by | the rule that costs it |")
	fmt.Fprintln(&b, "|---|---|"+strings.Repeat("---|---|", len(rows))+"---|---|")
	for _, k := range sorted(rows[0].Alone, func(k sim.Kind) float64 { return aloneLead(rows, k) }) {
		figures(&b, rows, k, func(r row) class { return r.Alone[k] })
		by, rule := aloneLead(rows, k), ""
		if by < -slight {
			rule = costs()[k].rule
		}
		fmt.Fprintf(&b, " %+.3f | %s |\n", by, rule)
	}
	fmt.Fprintf(&b, "\nDown to -%.2f: a takeover is confirmed by reads, and told to the guards, before work starts.\n", slight)
	return b.String()
}

// unexplained are the kinds of fault that cost hotseat more time with exactly one than
// the rule in [costs] may, or for which that names none.
func unexplained(rows []row) (out []string) {
	for k := range rows[0].Alone {
		if by := aloneLead(rows, k); by < -max(slight, costs()[k].most) {
			out = append(out, fmt.Sprintf("%s %+.3f", k, by))
		}
	}
	return out
}

// slight is what the reads of a few takeovers come to, in points.
const slight = 0.05

func head(b *strings.Builder, rows []row, fault string) {
	fmt.Fprintf(b, "| %s | schedules |", fault)
	for _, r := range rows {
		fmt.Fprintf(b, " %v: none %% | two %% |", r.Elector)
	}
}

func figures(b *strings.Builder, rows []row, k sim.Kind, of func(row) class) {
	fmt.Fprintf(b, "| %s | %d |", k, of(rows[0]).Schedules)
	for _, r := range rows {
		s := of(r).Share
		fmt.Fprintf(b, " %s | %s |", percent(s, s.None), percent(s, s.Two))
	}
}

func sorted(classes map[sim.Kind]class, lead func(sim.Kind) float64) []sim.Kind {
	return slices.SortedFunc(maps.Keys(classes), func(a, b sim.Kind) int {
		return cmp.Or(cmp.Compare(lead(a), lead(b)), cmp.Compare(a, b))
	})
}

// lead is by how many points hotseat has exactly one for longer than the best of the
// others.
func lead(rows []row, of func(row) sim.Share) float64 {
	most := 0.0
	for _, r := range rows[1:] {
		s := of(r)
		most = max(most, s.Of(s.One))
	}
	s := of(rows[0])
	return s.Of(s.One) - most
}

func aloneLead(rows []row, k sim.Kind) float64 {
	return lead(rows, func(r row) sim.Share { return r.Alone[k].Share })
}

// exactly one, in percent.
func (r row) one(k sim.Kind) float64 {
	s := r.Classes[k].Share
	return s.Of(s.One)
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
	require.Contains(t, text, "| cut | 2 | 2.000 | 0.000 | 0.000 | 1.000 | 3.000 | 0.000 | **client-go +1.000** |")
	require.Contains(t, text, "| delete | 1 | 2.000 | 0.000 | 50.000 | 0.500 | 3.000 | 0.000 |  |")
	require.Less(t, strings.Index(text, "| cut"), strings.Index(text, "| delete"), "worst first")
	require.Equal(t, 200*s, rows[0].All.None+rows[0].All.One)
}

// TestLoneFaultsNeedARule holds the other table against figures made up.
func TestLoneFaultsNeedARule(t *testing.T) {
	const s = time.Second
	rows := []row{{Elector: sim.Hotseat}, {Elector: sim.ClientGo}}
	for k, none := range map[sim.Kind][2]time.Duration{sim.Foreign: {9 * s, s}, sim.Label: {2 * s, s}, sim.Overrun: {2 * s, s}, sim.Cut: {s, 2 * s}} {
		for i := range rows {
			rows[i].addAlone(k, sim.Share{None: none[i], One: 100*s - none[i]})
		}
	}
	text := lone(rows)
	require.Contains(t, text, "| foreign | 1 | 9.000 | 0.000 | 1.000 | 0.000 | -8.000 | "+costs()[sim.Foreign].rule+" |")
	require.Contains(t, text, "| cut | 1 | 1.000 | 0.000 | 2.000 | 0.000 | +1.000 |  |")
	require.ElementsMatch(t, []string{"label -1.000", "foreign -8.000"}, unexplained(rows), "no rule, or more than it may cost")
}
