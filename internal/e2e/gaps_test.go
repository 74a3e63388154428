//go:build unix

package e2e

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/lease"
)

// row of the guide's table of gaps.
type row int

const (
	afterARelease row = iota
	afterARecentRelease
	afterACrash
	backByRelease
	backByCrash
	amongOurs
)

// said of a row in the guide.
func (r row) said() string {
	return map[row]string{
		afterARelease:       "| client-go | hotseat, which has watched it for 15 s or more | SIGTERM, with ReleaseOnCancel | 1 to 1.3 s |",
		afterARecentRelease: "| client-go | hotseat, which has watched it for less: t | SIGTERM, with ReleaseOnCancel | 15 s - t |",
		afterACrash:         "| client-go | hotseat | SIGTERM without ReleaseOnCancel, or a crash | 13 to 15.5 s |",
		backByRelease:       "| hotseat | client-go | SIGTERM | up to 4.4 s: it polls, each 1 to 2.2 RetryPeriods |",
		backByCrash:         "| hotseat | client-go | a crash | 13 to 24 s |",
		amongOurs:           "| hotseat | hotseat | SIGTERM | milliseconds |",
	}[r]
}

// bounds are what the guide says, for timings. watched is how long a standby of hotseat
// has seen the holder.
func (r row) bounds(tm lease.Timing, watched time.Duration) (least, most time.Duration) {
	const slack = 500 * time.Millisecond
	polls := tm.RetryPeriod * 22 / 10 // client-go's, with the most jitter
	switch r {
	case afterARelease:
		return time.Second, 1300 * time.Millisecond
	case afterARecentRelease:
		return tm.LeaseDuration - watched, tm.LeaseDuration - watched + slack
	case afterACrash:
		return tm.LeaseDuration - tm.RetryPeriod, tm.LeaseDuration + slack
	case backByRelease:
		return 0, polls
	case backByCrash:
		return tm.LeaseDuration - tm.RetryPeriod, tm.LeaseDuration + 2*polls
	default:
		return 0, 100 * time.Millisecond
	}
}

// gaps are how long nobody worked, by row. It is safe for concurrent use.
type gaps struct {
	tm lease.Timing
	mu sync.Mutex
	by map[row][]string
}

// newGaps looks whether the guide says what the rows do.
func newGaps(t *testing.T, tm lease.Timing) *gaps {
	page, err := os.ReadFile("../docs/guide/rolling-update.md")
	require.NoError(t, err)
	for r := afterARelease; r <= amongOurs; r++ {
		require.Contains(t, string(page), "\n"+strings.TrimSuffix(r.said(), "|"))
	}
	return &gaps{tm: tm, by: map[row][]string{}}
}

// note judges a gap. A renewal is acknowledged, and the end of a process seen, a little
// later than it happens.
func (g *gaps) note(t *testing.T, r row, gap, watched time.Duration) {
	t.Helper()
	const early = 150 * time.Millisecond
	least, most := r.bounds(g.tm, watched)
	text := fmt.Sprintf("%.2f", gap.Seconds())
	if r == afterARecentRelease {
		text += fmt.Sprintf(" (t = %.2f)", watched.Seconds())
	}
	if gap > most {
		text += " (slow)"
	}
	g.mu.Lock()
	g.by[r] = append(g.by[r], text)
	g.mu.Unlock()
	require.GreaterOrEqual(t, gap, least-early, r.said())
	require.LessOrEqual(t, gap, most+noise, r.said())
}

func (g *gaps) print(w io.Writer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintf(out, "gaps with %v/%v/%v, s\n", g.tm.LeaseDuration, g.tm.RenewDeadline, g.tm.RetryPeriod)
	for r := afterARelease; r <= amongOurs; r++ {
		slices.Sort(g.by[r])
		fmt.Fprintf(out, "%s\t%s\n", r.said(), strings.Join(g.by[r], ", "))
	}
	_ = out.Flush()
}
