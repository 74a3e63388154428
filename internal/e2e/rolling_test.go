//go:build unix

package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/controlplane"
	"github.com/hotseat-go/hotseat/internal/e2e/trial"
	"github.com/hotseat-go/hotseat/lease"
)

// changeover is a lab in which replicas of one version replace those of another:
// client-go's elector, and hotseat in one of its ways.
type changeover struct {
	*lab
	tm    lease.Timing
	way   func(*trial.Spec)
	gaps  *gaps
	since map[string]time.Time // a replica of hotseat began to watch the holder
}

// ways to take hotseat up.
func ways() map[string]func(*trial.Spec) {
	return map[string]func(*trial.Spec){
		"elector": func(*trial.Spec) {},
		"lock":    func(s *trial.Spec) { s.Lock = true },
	}
}

// TestRollingUpdate changes a service over from client-go's elector to hotseat
// and back, as the guide says. One replica at a time works. How long nobody does
// is printed beside what the guide says, and held to that. With -short the timings are
// short.
func TestRollingUpdate(t *testing.T) {
	tm := lease.Timing{}.WithDefaults()
	if testing.Short() {
		tm = timing()
	}
	g := newGaps(t, tm)
	defer g.print(os.Stdout)
	c := sharedCluster(t)
	t.Run("all", func(t *testing.T) { // ends when all of it has
		for way, change := range ways() {
			for name, play := range map[string]func(*changeover){
				"releases": updateAndBack, "crashes": crashAndBack, "keeps": keptAtTheEnd,
			} {
				t.Run(way+" "+name, func(t *testing.T) {
					if testing.Short() && name == "keeps" {
						t.Skip("not part of the short run")
					}
					t.Parallel()
					r := newChangeover(t, c, tm, change, g)
					play(r)
					r.rest(settled)
					require.Empty(t, r.judge().Violations)
				})
			}
		}
		t.Run("slow to stop", func(t *testing.T) {
			t.Parallel()
			slowToStop(newChangeover(t, c, tm, ways()["elector"], g), false)
		})
		t.Run("slow to stop, kept", func(t *testing.T) {
			t.Parallel()
			slowToStop(newChangeover(t, c, tm, ways()["elector"], g), true)
		})
	})
}

func newChangeover(
	t *testing.T, c *controlplane.Cluster, tm lease.Timing, way func(*trial.Spec), g *gaps,
) *changeover {
	l := scenario{limits: func(x *trial.Limits) {
		x.Peers = true
		_, x.Back = backByCrash.bounds(tm, 0) // each gap is held to its own row
		x.Stop = tm.StopBudget()
	}}.newLab(t, c)
	l.spec.Timing = tm
	l.openToPeers()
	return &changeover{lab: l, tm: tm, way: way, gaps: g, since: map[string]time.Time{}}
}

// old starts a replica of the old version.
func (r *changeover) old(name string, change ...func(*trial.Spec)) {
	r.startPeer(name, change...)
	r.rest(settled) // it has looked at the Lease
}

// next starts a replica of the new version, which stands by from now on.
func (r *changeover) next(name string) {
	from := r.journal.Len()
	r.start(name, r.way)
	c := r.replicas[name]
	seen := r.await(from, name+" standing by", func(e trial.Event) bool {
		return e.PID == c.PID && e.Kind == trial.Said && strings.Contains(e.Text, `"holder seen"`)
	})
	r.since[name] = time.Now().Add(-time.Duration(trial.Now() - seen.At))
}

// retires ends a replica that is not active.
func (r *changeover) retires(name string) {
	from := r.journal.Len()
	c := r.replicas[name]
	require.NoError(r.t, c.Terminate())
	r.of(c, from, trial.Exited)
}

// replaces ends the active in some way, waits for the next one, and notes how long nobody
// worked.
func (r *changeover) replaces(next string, row row, end func(*trial.Process)) {
	r.t.Helper()
	a := r.active()
	from := r.strike(row.said(), a)
	end(a.Process)
	began := r.newTerm(from)
	require.Equal(r.t, next, began.Replica)
	r.electsItsWay(began)
	ended := r.of(a, from, trial.Ended, trial.Exited)
	watched := time.Duration(ended.At-trial.Now()) + time.Since(r.since[next])
	r.gaps.note(r.t, row, time.Duration(began.At-ended.At), watched)
	r.of(a, from, trial.Exited)
}

// electsItsWay demands that a replica of the new version, and no other, elects in the way
// that is tried.
func (r *changeover) electsItsWay(began trial.Event) {
	var spec trial.Spec
	r.way(&spec)
	events, _ := r.journal.Since(0)
	led := slices.ContainsFunc(events, func(e trial.Event) bool {
		return e.Kind == trial.Led && e.PID == began.PID
	})
	require.Equal(r.t, spec.Lock && !began.Token.IsZero(), led)
}

func (r *changeover) sigterm(p *trial.Process) { require.NoError(r.t, p.Terminate()) }

func (*changeover) sigkill(p *trial.Process) { p.Kill() }

// epoch is that on the Lease, whoever holds it.
func (r *changeover) epoch() int64 {
	stored, err := r.leases().Get(r.t.Context(), leaseName, metav1.GetOptions{})
	require.NoError(r.t, err)
	epoch, err := lease.NewRecord(stored).Epoch()
	require.NoError(r.t, err)
	return epoch
}

// updateAndBack: an update, its way back, and another one in haste.
func updateAndBack(r *changeover) {
	r.old("o1")
	r.old("o2")
	r.next("n1")
	r.rest(r.tm.LeaseDuration) // minReadySeconds
	r.retires("o2")
	r.replaces("n1", afterARelease, r.sigterm)
	r.next("n2")
	r.rest(settled)
	r.replaces("n2", amongOurs, r.sigterm)
	first := r.epoch()
	require.Positive(r.t, first)

	r.old("o3")
	r.replaces("o3", backByRelease, r.sigterm)
	r.rest(settled)
	require.Equal(r.t, first, r.epoch(), "client-go leaves it")
	r.next("n3")
	r.rest(r.tm.LeaseDuration / 3)
	r.replaces("n3", afterARecentRelease, r.sigterm)
	require.Greater(r.t, r.epoch(), first)
}

// crashAndBack: the active is killed, in both directions.
func crashAndBack(r *changeover) {
	r.old("o1")
	r.next("n1")
	r.rest(r.tm.LeaseDuration / 4)
	r.replaces("n1", afterACrash, r.sigkill)
	first := r.epoch()
	r.old("o2")
	r.rest(r.tm.LeaseDuration / 4)
	r.replaces("o2", backByCrash, r.sigkill)
	require.Equal(r.t, first, r.epoch())
	r.next("n2")
	r.rest(r.tm.LeaseDuration / 4)
	r.replaces("n2", afterACrash, r.sigkill)
	require.Greater(r.t, r.epoch(), first)
}

// keptAtTheEnd: what client-go does without ReleaseOnCancel.
func keptAtTheEnd(r *changeover) {
	r.old("o1", keep)
	r.next("n1")
	r.rest(r.tm.LeaseDuration)
	r.replaces("n1", afterACrash, r.sigterm)
}

func keep(s *trial.Spec) { s.Keep = true }

// slowToStop: client-go releases the Lease before its work has ended, which may go on
// for longer than a release is waited for. Two work then, unless it keeps the Lease.
func slowToStop(r *changeover, kept bool) {
	r.old("o1", func(s *trial.Spec) { s.Drain, s.Keep = r.tm.LeaseDuration/2, kept })
	r.next("n1")
	r.rest(r.tm.LeaseDuration)
	a := r.active()
	from := r.strike("SIGTERM", a)
	require.NoError(r.t, a.Terminate())
	require.Equal(r.t, "n1", r.newTerm(from).Replica)
	r.of(a, from, trial.Exited)
	verdict := r.judge()
	if kept {
		require.Empty(r.t, verdict.Violations)
		return
	}
	require.Len(r.t, verdict.Violations, 1, "nobody worked beside it: say so in the guide")
	require.Contains(r.t, verdict.Violations[0], "n1 worked under token")
	require.Positive(r.t, verdict.Overlap)
}
