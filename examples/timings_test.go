package examples

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// timingRow is a row of the guide's table of timings.
type timingRow struct {
	tolerated time.Duration // an API outage that no term notices
	timing    lease.Timing
	budget    time.Duration
	least     time.Duration // from a crash to the next work
	most      time.Duration
}

func timingRows(t *testing.T) (rows []timingRow) {
	page, err := os.ReadFile("../internal/docs/guide/timings.md")
	require.NoError(t, err)
	const s = ` ([0-9.]+) s `
	row := regexp.MustCompile(`(?m)^\|` + s + `\|` + s + `\|` + s + `\|` + s + `\|` + s + `\| ([0-9.]+) to ([0-9.]+) s \|`)
	for _, cells := range row.FindAllStringSubmatch(string(page), -1) {
		var d [7]time.Duration
		for i, cell := range cells[1:] {
			seconds, err := strconv.ParseFloat(cell, 64)
			require.NoError(t, err)
			d[i] = time.Duration(seconds * float64(time.Second))
		}
		rows = append(rows, timingRow{
			d[0], lease.Timing{LeaseDuration: d[1], RenewDeadline: d[2], RetryPeriod: d[3]}.WithDefaults(), d[4], d[5], d[6],
		})
	}
	return rows
}

// The numbers of the table follow from lease.Timing.
func TestTimingsAreComputed(t *testing.T) {
	rows := timingRows(t)
	require.GreaterOrEqual(t, len(rows), 6)
	require.Equal(t, lease.Timing{}.WithDefaults(), rows[1].timing, "the second row has the defaults")
	for _, r := range rows {
		require.NoError(t, r.timing.Validate(), "%v", r.timing)
		require.Equal(t, r.timing.StopBudget().Truncate(100*time.Millisecond), r.budget, "stop budget of %v", r.timing)
		outage := r.timing.RenewDeadline - r.timing.RetryPeriod - max(r.timing.RequestTimeout(), r.timing.RetryPeriod)
		require.Equal(t, outage.Truncate(100*time.Millisecond), r.tolerated, "outage tolerated by %v", r.timing)
		require.Equal(t, r.timing.LeaseDuration-r.timing.RetryPeriod, r.least, "%v", r.timing)
		require.Equal(t, r.timing.LeaseDuration+500*time.Millisecond, r.most, "%v", r.timing)
	}
}

// And electors keep them where it is hardest: an outage that begins just before a renewal, and a
// crash that comes right after one, or just before.
func TestTimingsHold(t *testing.T) {
	for _, r := range timingRows(t) {
		soon, late := r.timing.RetryPeriod/100, r.timing.RetryPeriod*99/100
		t.Run(r.timing.LeaseDuration.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { r.outage(t, late, (*singletontest.Link).Cut) })
			synctest.Test(t, func(t *testing.T) { r.outage(t, late, (*singletontest.Link).BlackHole) })
			synctest.Test(t, func(t *testing.T) { r.crash(t, soon) })
			synctest.Test(t, func(t *testing.T) { r.crash(t, late) })
		})
	}
}

// pair starts two replicas; the first is active, and renewed last that long ago.
func (r timingRow) pair(t *testing.T, since time.Duration) (c *singletontest.Cluster, a, b *singleton.Elector) {
	c = singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	t.Cleanup(c.Close)
	run := func(name string) *singleton.Elector {
		config := singleton.Config{Namespace: "shop", Name: "invoicer", Timing: r.timing}
		config.Logger = quiet()
		elector, err := singleton.New(c.Client(name), config)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- elector.Run(ctx, work) }()
		t.Cleanup(func() { stop(); require.NoError(t, <-done) })
		synctest.Wait()
		return elector
	}
	a, b = run("a"), run("b")
	require.True(t, a.IsActive())
	time.Sleep(2*r.timing.RetryPeriod + since)
	return c, a, b
}

func (r timingRow) outage(t *testing.T, since time.Duration, fault func(*singletontest.Link)) {
	c, a, b := r.pair(t, since)
	term := a.Status().Token
	for _, name := range []string{"a", "b"} {
		fault(c.Link(name))
	}
	time.Sleep(r.tolerated)
	for _, name := range []string{"a", "b"} {
		c.Link(name).Heal()
	}
	time.Sleep(r.timing.LeaseDuration)
	require.Equal(t, term, a.Status().Token, "the term goes on")
	require.True(t, a.IsActive())
	require.False(t, b.IsActive())
}

func (r timingRow) crash(t *testing.T, since time.Duration) {
	c, _, b := r.pair(t, since)
	c.Link("a").Cut()
	began := time.Now()
	_, err := b.WaitActive(t.Context())
	require.NoError(t, err)
	took := time.Since(began)
	require.GreaterOrEqual(t, took, r.least)
	require.LessOrEqual(t, took, r.most)
}

// fast is for services that are back within seconds.
func fast() singleton.Config {
	return singleton.Config{
		Name: "invoicer",
		Timing: lease.Timing{
			LeaseDuration: 3 * time.Second,
			RenewDeadline: 2 * time.Second,
			RetryPeriod:   500 * time.Millisecond,
		},
	}
}

// The table has the fast profile, and what the guide says of it holds.
func TestFast(t *testing.T) {
	first := timingRows(t)[0]
	require.Equal(t, fast().Timing.WithDefaults(), first.timing)
	require.Equal(t, time.Second, first.tolerated)
	require.Equal(t, 800*time.Millisecond, first.budget)
	require.Equal(t, lease.DefaultRetryPeriod, 4*first.timing.RetryPeriod)
}

// The guide's table of defaults and bounds.
func TestTimingDefaultsAreTold(t *testing.T) {
	page, err := os.ReadFile("../internal/docs/guide/timings.md")
	require.NoError(t, err)
	defaults := lease.Timing{}.WithDefaults()
	for field, value := range map[string]string{
		"LeaseDuration": fmt.Sprintf("%.0f s", defaults.LeaseDuration.Seconds()),
		"RenewDeadline": fmt.Sprintf("%.0f s", defaults.RenewDeadline.Seconds()),
		"RetryPeriod":   fmt.Sprintf("%.0f s", defaults.RetryPeriod.Seconds()),
		"MaxClockDrift": fmt.Sprint(defaults.MaxClockDrift),
	} {
		row := "| `" + field + "` | " + value + " | "
		if !strings.Contains(string(page), row) {
			t.Errorf("no row begins with %s", row)
		}
	}
	require.Contains(t, string(page), fmt.Sprintf("up to %.0f hour", lease.MaxLeaseDuration.Hours()))
}
