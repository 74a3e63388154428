package main

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hotseat-go/hotseat/internal/scenario"
)

// Failover and handover are measured in virtual time, on a network and a server
// that take none: what is left is what the protocols wait for. The leader goes
// at phases spread evenly over its RetryPeriod, one bubble each.

const period = 2 * time.Second // RetryPeriod

// gapScript plays a leader's end at a time after a renewal and returns how long
// no work ran.
type gapScript func(s *scenario.Stage, after time.Duration, standbys int) time.Duration

// gaps plays the script at that many phases.
func gaps(t *testing.T, e elector, script gapScript, phases, standbys int) spread {
	t.Helper()
	var all []time.Duration
	for i := range phases {
		synctest.Test(t, func(t *testing.T) {
			s := scenario.New(scenario.Options{Release: true}, e.play(false))
			defer s.Close()
			gap := script(s, time.Duration(i)*period/time.Duration(phases), standbys)
			if len(s.Terms()) < 2 {
				t.Fatalf("%s: nobody took over", e.name)
			}
			all = append(all, gap)
		})
	}
	return newSpread(all)
}

func failoverTable(t *testing.T, out io.Writer) {
	t.Helper()
	const phases = 40
	fmt.Fprintf(out, "\n## How long nobody works: 15/10/2 s, virtual time, %d phases each\n\n", phases)
	fmt.Fprintln(out, "| leader's end | standbys | client-go min / mean / max | hotseat min / mean / max | ratio of means |")
	fmt.Fprintln(out, "|---|---|---|---|---|")
	for _, what := range []struct {
		name   string
		script gapScript
	}{{"crash", scenario.Crash}, {"graceful stop", scenario.Handover}} {
		for _, standbys := range []int{1, 2} {
			theirs := gaps(t, peer(), what.script, phases, standbys)
			our := gaps(t, ours(), what.script, phases, standbys)
			fmt.Fprintf(out, "| %s | %d | %s | %s | %s |\n", what.name, standbys, three(theirs), three(our), ratio(theirs.mean(), our.mean()))
		}
	}
}

func three(s spread) string {
	return seconds(s.min()) + " / " + seconds(s.mean()) + " / " + seconds(s.max())
}
