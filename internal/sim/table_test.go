package sim_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/sim"
)

// row is what one kind of candidate did with a range of seeds.
type row struct {
	Elector   sim.Elector
	Schedules int
	Took      time.Duration
	Failed    []uint64 // seeds, for hotseat
	overlaps
	Writes sim.Writes
	shares
	kept
}

// overlaps are of two at once.
type overlaps struct {
	Contexts, AtWork int // schedules
	Worst            time.Duration
	Backward         int // schedules in which tokens went back
}

func (r *row) add(seed uint64, x sim.Result) {
	var one row
	one.Schedules, one.Worst, one.Writes = 1, x.AtWork, x.Writes
	if x.Contexts > 0 {
		one.Contexts = 1
	}
	if x.AtWork > 0 {
		one.AtWork = 1
	}
	if x.Backward {
		one.Backward = 1
	}
	if r.Elector == sim.Hotseat && len(x.Violations) > 0 {
		one.Failed = []uint64{seed}
	}
	r.merge(one)
}

func (r *row) merge(o row) {
	r.Schedules += o.Schedules
	r.Contexts += o.Contexts
	r.AtWork += o.AtWork
	r.Worst = max(r.Worst, o.Worst)
	r.Backward += o.Backward
	r.Writes.Stale += o.Writes.Stale
	r.Writes.Refused += o.Writes.Refused
	r.Writes.Accepted += o.Writes.Accepted
	r.Writes.Frozen += o.Writes.Frozen
	r.Took = max(r.Took, o.Took)
	r.Failed = append(r.Failed, o.Failed...)
	r.shares.merge(o.shares)
	r.kept.merge(o.kept)
}

// TestTable is `make sim`: the same schedules for hotseat and for client-go's
// elector, over one process per core, because one P runs a bubble fastest.
func TestTable(t *testing.T) {
	if os.Getenv("SIM_TABLE") == "" {
		t.Skip("SIM_TABLE=1 runs thousands of schedules; see make sim")
	}
	seeds, from := number(t, "SIM_SEEDS", 20_000), number(t, "SIM_FROM", 1)
	shards := runtime.NumCPU()
	out := t.TempDir()
	commands := make([]*exec.Cmd, shards)
	for i := range commands {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestShard$", "-test.timeout", "0") //nolint:gosec // ourselves
		c.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=400", fmt.Sprintf("SIM_SHARD=%d/%d", i, shards),
			fmt.Sprintf("SIM_SEEDS=%d", seeds), fmt.Sprintf("SIM_FROM=%d", from), "SIM_OUT="+filepath.Join(out, fmt.Sprint(i)))
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		require.NoError(t, c.Start())
		commands[i] = c
	}
	began := time.Now()
	rows := make([]row, 3)
	for i, c := range commands {
		waited := c.Wait()
		data, err := os.ReadFile(filepath.Join(out, fmt.Sprint(i)))
		require.NoError(t, err, "shard %d: %v", i, waited)
		var part []row
		require.NoError(t, json.Unmarshal(data, &part))
		for j, r := range part {
			rows[j].Elector = r.Elector
			rows[j].merge(r)
		}
	}
	took, tables := time.Since(began), table(rows)+"\n"+classes(rows)
	if len(rows[0].Alone) > 0 {
		tables += "\n" + lone(rows)
	}
	fmt.Printf("\nseeds from %d on, five minutes each, %v in all\n\n%s\n", from, took.Round(time.Second), tables)
	require.Empty(t, rows[0].Failed, "seeds in which hotseat did what it must not")
	require.Empty(t, unexplained(rows), "faults that cost hotseat time with exactly one, by no rule that is stated (costs_test.go)")
	require.NoError(t, keepRows(rows))
	require.NoError(t, writeResults(from, seeds, took, tables))
}

func table(rows []row) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| candidates | schedules | two contexts alive | two at work | worst overlap | tokens went back | stale writes | refused | accepted | of frozen work | exactly one % | none % | two % | schedules/s |")
	fmt.Fprintln(&b, "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %v | %d | %d | %d | %v | %d | %d | %d | %d | %d | %s | %s | %s | %.0f |\n", r.Elector, r.Schedules, r.Contexts, r.AtWork,
			r.Worst.Round(10*time.Millisecond), r.Backward, r.Writes.Stale, r.Writes.Refused, r.Writes.Accepted, r.Writes.Frozen,
			percent(r.All, r.All.One), percent(r.All, r.All.None), percent(r.All, r.All.Two), float64(r.Schedules)/r.Took.Seconds())
	}
	return b.String()
}

// TestShard is one process of TestTable.
func TestShard(t *testing.T) {
	shard := os.Getenv("SIM_SHARD")
	if shard == "" {
		t.Skip("for TestTable")
	}
	var i, n uint64
	_, err := fmt.Sscanf(shard, "%d/%d", &i, &n)
	require.NoError(t, err)
	seeds, from, alone := number(t, "SIM_SEEDS", 0), number(t, "SIM_FROM", 0), number(t, "SIM_ALONE", 200)
	rows := []row{{Elector: sim.Hotseat}, {Elector: sim.ClientGo}, {Elector: sim.ClientGoRelease}}
	told := false
	classed := membership{}
	for j := range rows {
		r, began := &rows[j], time.Now()
		for seed := from + i; seed < from+seeds; seed += n {
			x := play(t, sim.Draw(seed, r.Elector), false)
			r.add(seed, x)
			if j == 0 {
				classed.note(seed, x)
			}
			r.shares.add(classed[seed], x.Share)
			if seed < from+pictured {
				r.keep(classed[seed], x.Share)
			}
			if len(r.Failed) > 0 && !told {
				told = true
				explain(t, x)
			}
		}
		r.Took = time.Since(began)
		for _, kind := range sim.Kinds() {
			for seed := from + i; seed < from+alone; seed += n {
				x := play(t, sim.DrawAlone(seed, r.Elector, kind), false)
				r.addAlone(kind, x.Share)
				if j == 0 && len(x.Violations) > 0 {
					r.Failed = append(r.Failed, seed)
					t.Errorf("%s alone: %s", kind, x.Report())
				}
			}
		}
	}
	data, err := json.Marshal(rows)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(os.Getenv("SIM_OUT"), data, 0o600))
}
