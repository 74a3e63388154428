package node

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/reach"
)

// slack is what a way may add to the handover and to what a bare change takes.
const slack = 100 * time.Millisecond

const trafficHead = `## Requests to the active

A client on each of two nodes opens a connection to the ClusterIP of a Service every %v, while the
active hands over or is made to. kube-proxy runs in nftables mode, with its defaults. The ways "by
label" and "by slice" are the components of examples/deploy.

- "Nobody" is from the last answer of the old active to the first of the next one.
- "Handover" is from the end of the old one's work to the beginning of the next one's.
- "Beyond" is the part of a "nobody" that is not handover.
- "Bare" is how long it takes without any election. Where standbys refuse, that is until one of three
  Pods is drawn that answers. In the other ways it is from a change of endpoints by hand until a client
  reaches the other Pod. It is one change with Leave. In the others it is two, and kube-proxy waits for
  a second between two changes.
- It "holds" if "beyond" is at most "bare" and %v, for the medians and for the longest, and if at most
  one address was ready at every version of the EndpointSlices. It "holds (slow)" if that took up to %v
  more: the two cores of this machine have everything else to run as well.
- "Closed" is when the old active's stream ended, after the last that came of it. A frozen process
  closes it when it thaws.

No request was answered by two. In the last row the old active goes on answering on purpose, and the
audit has to find it.

`

// TestTraffic plays every event, in every way, and prints the table.
func TestTraffic(t *testing.T) {
	if testing.Short() {
		t.Skip("TestTrafficShort is the short run")
	}
	c := newCluster(t, Options{Nodes: 2, Images: replicaImages(), Proxy: true})
	table, times := trafficTable{}, howMany(t, "HOTSEAT_NODE_TRAFFIC", 3)
	for place, w := range ways() {
		t.Run(strings.ReplaceAll(w.name, " ", "_"), func(t *testing.T) {
			var bare floor
			if w.bare != nil {
				bare = bareFloor(t, c, w, 10+place, 3*times)
			}
			newFront(t, c, w, place).playAll(&table, bare, w.played(), times)
		})
	}
	t.Run("control", func(t *testing.T) { table.control(t, c) })
	report(t, "2-traffic", fmt.Sprintf(trafficHead, reach.Every, slack, noise)+table.String())
}

// TestTrafficShort is make test's share.
func TestTrafficShort(t *testing.T) {
	if !testing.Short() {
		t.Skip("TestTraffic has it all")
	}
	c := newCluster(t, Options{Nodes: 2, Images: replicaImages(), Proxy: true})
	table := trafficTable{}
	gate, slice := byGate(), bySlice()
	gate.events, slice.events = []string{"crash", "rollout"}, []string{"handover"}
	for place, w := range []way{gate, slice} {
		newFront(t, c, w, place).playAll(&table, nil, w.played(), 1)
	}
	t.Run("control", func(t *testing.T) { table.control(t, c) })
	fmt.Fprint(t.Output(), table.String())
}

// playAll plays each event some times, and judges what came of them.
func (f *front) playAll(table *trafficTable, bare floor, events []event, times int) {
	f.t.Helper()
	f.settle()
	if bare == nil {
		bare = f.ownFloor()
	}
	for _, e := range events {
		var all []outcome
		for range times {
			all = append(all, f.meet(e))
		}
		table.add(f.t, f.way, e, all, bare)
	}
	n, err := f.ends()
	require.NoError(f.t, err)
	f.t.Logf("%s: %d requests", f.way.name, n)
	if f.way.single {
		versions, most, when, err := f.endpoint.verdict()
		require.NoError(f.t, err)
		require.Equal(f.t, 1, most, "%s", when)
		f.t.Logf("%s: one ready address at most in %d versions", f.way.name, versions)
	}
}

// control has the old active go on answering after a handover: the audit has to see it.
func (table *trafficTable) control(t *testing.T, c *Cluster) {
	f := newFront(t, c, way{
		name: "nobody refuses", env: "open",
	}, 9)
	f.settle()
	f.handOver()
	f.rest(settled)
	_, err := f.ends()
	require.ErrorContains(t, err, "answers for epoch")
	table.rows = append(table.rows, []string{f.way.name, "handover", "", "", "", "", "", "", "caught, as it must"})
}

// trafficTable is the outcome of all ways.
type trafficTable struct{ rows [][]string }

func (table *trafficTable) add(t *testing.T, w way, e event, all []outcome, bare floor) {
	t.Helper()
	var nobody, handover, beyond []time.Duration
	closed := time.Duration(0)
	for _, o := range all {
		closed = max(closed, o.closed)
		for _, c := range o.changes {
			nobody, handover = append(nobody, c.nobody), append(handover, c.handover)
			beyond = append(beyond, c.nobody-c.handover)
		}
	}
	verdict := "holds"
	for _, p := range []int{50, 100} {
		if percentile(beyond, p) > percentile(bare, p)+slack {
			verdict = "holds (slow)"
		}
	}
	require.Less(t, percentile(beyond, 100), percentile(bare, 100)+slack+noise,
		"%s, %s: nobody is reached for long", w.name, e.name)
	both := func(all []time.Duration) string {
		return fmt.Sprintf("%d / %d", percentile(all, 50).Milliseconds(), percentile(all, 100).Milliseconds())
	}
	row := []string{
		w.name, e.name, fmt.Sprint(len(nobody)), both(nobody), both(handover),
		both(beyond), both(bare), fmt.Sprint(closed.Milliseconds()), verdict,
	}
	table.rows = append(table.rows, row)
	t.Log(strings.Join(row, " | "))
}

func (table *trafficTable) String() string {
	var b strings.Builder
	b.WriteString("| way | event | n | nobody, p50 / max (ms) | handover, p50 / max (ms) | beyond, p50 / max (ms) | bare, p50 / max (ms) | closed (ms) | verdict |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|\n")
	for _, row := range table.rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	return b.String()
}
