//go:build unix

package frameworks

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// envResults names the file to which the tables are appended.
const envResults = "HOTSEAT_FRAMEWORKS_RESULTS"

// results are the rows of a table.
type results struct {
	mu   sync.Mutex
	head string
	rows []row
}

type row struct {
	place int
	text  string
}

const scriptsHead = `## Scripts

A manager has three controllers, of which one needs 10 s to stop, a webhook server and a metrics
server. There are two replicas, at 15/10/2 s, and a Lease that is there from the start.

- **overlap**: two at work at once. Work carries a token with hotseat. What a guard refuses of it is no
  work, and stands in the last column.
- **ended**: from the fault to the end of the work of the replica that was hit.
- **nobody**: from then to the first reconciliation of the other.

| script | election | overlap | ended | nobody | refused |
|---|---|---|---|---|---|
`

func (r *results) add(i, j int, o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	refused := "none"
	switch {
	case o.elector == clientGo:
		refused = "no token"
	case o.refused > 0:
		refused = fmt.Sprintf("%d, the last %s after the other's start", o.refused, rounded(o.refusedFor))
	}
	r.head = scriptsHead
	r.rows = append(r.rows, row{2*i + j, fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", o.script, o.elector,
		rounded(o.overlap), orNever(o.ended, "goes on"), orNever(o.nobody, "the other never began"), refused)})
}

const handoversHead = `
## Graceful handovers

One after another: SIGTERM to the active while a standby waits. A controller needs 0.2 s to stop. From
the end of the one's work to the first reconciliation of the other.

| election | handovers | p50 | p99 | max |
|---|---|---|---|---|
`

func (r *results) handovers(elector string, sorted []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head = handoversHead
	r.rows = append(r.rows, row{len(r.rows), fmt.Sprintf("| %s | %d | %s | %s | %s |\n", elector, len(sorted),
		rounded(quantile(sorted, 50)), rounded(quantile(sorted, 99)), rounded(sorted[len(sorted)-1]))})
}

func rounded(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(10 * time.Millisecond).String()
	}
}

func orNever(d time.Duration, never string) string {
	if d < 0 {
		return never
	}
	return rounded(d)
}

// write appends the table to the file, if one is named.
func (r *results) write(t *testing.T) {
	path := os.Getenv(envResults)
	if path == "" || t.Failed() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.SortFunc(r.rows, func(a, b row) int { return cmp.Compare(a.place, b.place) })
	var text strings.Builder
	text.WriteString(r.head)
	for _, row := range r.rows {
		text.WriteString(row.text)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	_, err = file.WriteString(text.String())
	require.NoError(t, err)
	require.NoError(t, file.Close())
}

// TestHead begins the file with where and when it was measured. It runs first.
func TestHead(t *testing.T) {
	r := results{head: fmt.Sprintf("# Hotseat in a manager of controller-runtime v0.25.2, beside client-go's election\n\n"+
		"%s, %s/%s, %d CPUs, load average before %s, Kubernetes %s on one etcd, %s.\nWritten by `make frameworks`.\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), load(), cluster.Version,
		time.Now().UTC().Format(time.DateOnly))}
	r.write(t)
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
