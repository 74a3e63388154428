package sim_test

import (
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/sim"
	"github.com/hotseat-go/hotseat/internal/whole"
)

// TestSeeds plays schedules nobody has seen: SIM_SEEDS of them from SIM_FROM on,
// which is drawn anew each time.
func TestSeeds(t *testing.T) {
	t.Parallel()
	seeds := number(t, "SIM_SEEDS", whole.Share(fewSeeds, 12))
	from := number(t, "SIM_FROM", rand.Uint64N(1<<40))
	t.Logf("seeds %d to %d: SIM_FROM=%d SIM_SEEDS=%d", from, from+seeds-1, from, seeds)
	terms := 0
	for seed := from; seed < from+seeds; seed++ {
		r := play(t, sim.Draw(seed, sim.Hotseat), false)
		terms += r.Terms
		if len(r.Violations) > 0 {
			explain(t, r)
			return
		}
	}
	require.Greater(t, terms, int(seeds), "hardly anybody led: the schedules say nothing")
}

// TestASeedIsOneRun: a seed replays exactly, whatever the scheduler does.
func TestASeedIsOneRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for seed := range whole.Share(replaySeeds, 2) {
		p := sim.Draw(1_000_000+seed, sim.Hotseat)
		for i := range p.Nodes {
			p.Nodes[i].Elector = sim.Hotseat // client-go draws its jitter from the global generator
		}
		first := play(t, p, true).Story
		for _, procs := range []int{1, 2} {
			runtime.GOMAXPROCS(procs)
			for range whole.Share(replayRuns, 2) {
				sameStory(t, p.Seed, first, play(t, p, true).Story)
			}
		}
	}
}

func sameStory(t *testing.T, seed uint64, want, got []string) {
	t.Helper()
	around := func(story []string, i int) string {
		return strings.Join(story[max(0, i-5):min(len(story), i+5)], "\n")
	}
	for i := range want {
		if i >= len(got) || want[i] != got[i] {
			t.Fatalf("seed %d went another way:\n%s\ninstead of:\n%s", seed, around(got, i), around(want, i))
		}
	}
	require.Len(t, got, len(want))
}

// TestFound replays what the simulator found in hotseat; see track-record.md.
func TestFound(t *testing.T) {
	for i, found := range []struct {
		name, faults string
		seed         uint64
	}{
		{"a restored Lease names this process, whose term it is not", "foreign:-1:2m14.1s:0s:0 restore-bump:-1:2m50s:0s:55492", 91},
		{"a deleted Lease restored, and listed without a pause", "delete:-1:33.4s:0s:0 restore:-1:34s:0s:25989", 106988},
		{"the same after an outage", "refuse:-1:1m27.9s:37.44s:429 restore-bump:-1:2m8.44s:0s:9734", 235},
		{"a watch that broke soon after an outage, and was waited with as long as the outage was", "api-restart:-1:55.048s:1.794s:0 delete:-1:56.8s:0s:0 restore:-1:57.3s:0s:56636", 49},
		{"a Lease deleted in an outage, created long after it", "lose-request:-1:2m23.3s:18.413s:100 delete:-1:2m32.1s:0s:0", 15047},
		{"a vacant Lease without its mark, and a new process", "delete:-1:1m45.3s:0s:0 stop:3:1m47.133s:62ms:17705 tamper:-1:1m47s:0s:3", 20014805},
		{"a foreign holder before anybody was there to wait for it", "foreign:-1:0s:0s:0", 70014842},
		{"a term raised above those that a restore undid", "restore:-1:2.7s:0s:24941 crash:0:2.928s:171ms:1", 100011503},
		{"an epoch that came again after a restore, released beside the term that had it first", "lose-answer:1:4.033s:3.615s:30 restore:-1:4.4s:0s:59722 crash:1:4.458s:488ms:1", 30054458},
		{"a term whose Lease was deleted, under client-go's release within a lease", "cut:0:6.2s:7.42s:0 delete:-1:6.4s:0s:0 stop:2:9.058s:3.374s:13704", 110003389},
		{"work that outstays a stop begun before it was to return", "tamper:-1:2m2.604s:0s:0 overrun:1:2m8.172s:40.574s:0 stop:1:2m11.926s:9.391s:19305 " +
			"hang-answer:1:2m19.218s:161ms:100 restore:-1:2m23.768s:0s:6097", 120001129},
		{"a Lease deleted again, of one that took it after a restore", "delete:-1:36.442s:0s:0 restore:-1:37.6s:0s:39555 crash:2:37.95s:352ms:1 delete:-1:40.1s:0s:0", 150041810},
		{"a Lease deleted while all that are there have resigned", "resign:0:2m54.8s:0s:0 resign:1:2m55.9s:0s:0 delete:-1:2m57.6s:0s:0", 160086414},
		{"two restores bumped to one revision", "restore-bump:-1:1m8.9s:0s:35724 crash:1:1m9.471s:5.372s:0 restore-bump:-1:1m9.6s:0s:35948 delay-request:0:1m9.626s:22.325s:19956", 180054294},
		{"a term seen only by a shared watch before a restore", "delay-request:-1:1m56.8s:22.454s:18859 hang-answer:-1:2m30.9s:10.854s:100 restore-bump:-1:2m44.3s:0s:22366", 190110258},
		{"a list that a restore made older than what was seen at that instant", "freeze:2:32.005s:38.944s:0 tamper:-1:32.008s:0s:1 restore:-1:35.4s:0s:30492", 21},
		{"an epoch raised by hand and put back, released by the term that had it",
			"stop:3:1m49.86s:4.902s:13303 cut:-1:1m52s:18.49s:0 raise-epoch:-1:2m56.498s:0s:675 put-back:-1:2m58.9s:0s:7", 310006447},
		{"annotations removed while work whose epoch was raised by hand drains",
			"raise-epoch:-1:2m43s:0s:295 tamper:-1:2m43.4s:0s:3", 320001534},
		{"a compaction under a cache that is ahead of its store",
			"stale-cache:-1:1m14.6s:1m8.784s:21590 black-hole:0:1m53.656s:19.413s:0 compact:-1:1m56.814s:182ms:0", 310010274},
		{"a cache that is ahead of its store, behind slow admission", "slow-admission:-1:1m28.4s:1m19.669s:1957 stale-cache:-1:1m43.1s:1m6.671s:5399", 310033107},
		{"an epoch raised above a guard's mark on a slow server",
			"raise-epoch:-1:13.7s:0s:440 slow-server:-1:2m55.9s:1m4.141s:3892 crash:1:2m56.03s:5.946s:1 reship:1:2m56.871s:4.795s:2", 310048555},
		{"a list that showed the successor, beside a GET that did not, before a restore",
			"black-hole:-1:47.4s:26.85s:0 freeze:2:50.196s:1.281s:0 hang-answer:-1:1m7.687s:10.237s:30 end-watches:0:1m9.3s:0s:0 restore:-1:1m17.3s:0s:13183 restore-bump:-1:1m37.5s:0s:29100", 330094356},
		{"annotations removed, and an epoch written by hand", "tamper:-1:1m47.5s:0s:3 raise-epoch:-1:1m48s:0s:382", 330097560},
		{"client-go's release over a term of ours", "freeze:2:2m10s:10.725s:0", 30024162},
		{"a raise by hand undone by the adoption of an acquire", "duplicate:1:11.8s:38.333s:100 hang-answer:-1:1m31.5s:38.334s:60 lose-answer:2:1m31.6s:7.49s:30 " +
			"slow-guard:0:1m58.42s:12.208s:5332 foreign:-1:1m59.145s:0s:0 raise-epoch:-1:2m10.5s:0s:774", 5680},
		{"versions that a restore set back, in a release and in looks for a holder's last claim",
			"name:-1:2.875s:0s:10 name:-1:4.723s:0s:2 name:-1:44.642s:0s:3 crash:0:1m50.702619202s:9.636105092s:0 hang-answer:-1:1m52.4s:33.925s:60 " +
				"put-back:-1:1m57.955190471s:0s:0 restore-bump:-1:2m35.637s:0s:36708 restore:-1:2m43.802s:0s:12601 name:-1:2m55.556s:0s:1", 25593},
		{"a dead holder's claim that a restore hides from looks",
			"lose-answer:0:1m40.611s:1.192s:30 restore:-1:2m9.561s:0s:57888 refuse-once:0:2m22.818s:6.73s:403", 33133},
	} {
		if i%3 != 0 && !whole.Run() {
			continue
		}
		p := sim.Draw(found.seed, sim.Hotseat)
		faults, err := sim.ParseFaults(found.faults)
		require.NoError(t, err)
		p.Faults = faults
		for _, p.Shared = range []bool{false, true} {
			require.Empty(t, play(t, p, false).Violations, found.name)
		}
	}
}
