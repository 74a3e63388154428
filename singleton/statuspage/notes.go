package statuspage

import (
	"fmt"
	"strings"
	"time"
)

type note struct{ Level, Text string }

// notes are what may be wrong with a replica.
func notes(s Seen) (all []note) {
	add := func(level, format string, args ...any) {
		all = append(all, note{level, fmt.Sprintf(format, args...)})
	}
	if s.Error != "" {
		add(bad, "Does not answer: %s.", s.Error)
	}
	if s.Status.Overrun {
		add(bad, "Work has not returned in time after its term ended.")
	}
	if s.Status.NotReady != "" {
		add(bad, "Not ready: %s.", strings.TrimPrefix(s.Status.NotReady, "singleton: "))
	} else if s.Error == "" && s.Status.State == "standby" {
		add(ok, "Ready.")
	}
	if other := s.Status.OtherProgram; other != "" {
		add(bad, "Another program holds the Lease: %s. Two applications must not share one.", other)
	}
	if off := clocksOff(s.Status); off != "" && s.Error == "" {
		add(warn, "%s", off)
	}
	for _, g := range s.Status.Guards {
		switch {
		case g.Accepted && (!holds(s.Status) || s.Error != ""): // of a term that may be over
		case g.Accepted:
			add(ok, "Guard %d accepted epoch %s at %s.", g.Index, g.Epoch, clock(g.At))
		case g.Mark != "":
			add(bad, "Guard %d refused epoch %s at %s: it has seen epoch %s.",
				g.Index, g.Epoch, clock(g.At), g.Mark)
		default:
			add(bad, "Guard %d did not accept epoch %s at %s: %s. The log has the error.",
				g.Index, g.Epoch, clock(g.At), g.Kind)
		}
	}
	return all
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

// clocksOff says whether the holder's clock seems to be another one than this replica's.
func clocksOff(s Status) string {
	if s.Holder.Identity == "" || s.Holder.Self || s.Lease.RenewTime.IsZero() {
		return ""
	}
	// A replica whose holder has been silent for that long takes the Lease.
	most := time.Duration(2 * s.Timings.LeaseDurationSeconds * float64(time.Second))
	switch age := s.At.Sub(s.Lease.RenewTime); {
	case age > most:
		return fmt.Sprintf("By the holder's clock, the last renewal was %s ago. If it still renews,"+
			" its clock or this replica's is wrong.", short(age))
	case age < -time.Second:
		return fmt.Sprintf("The last renewal is %s ahead of this replica's clock. One of the two clocks"+
			" is wrong.", short(-age))
	}
	return ""
}

// differences are what the replica has otherwise than another one that answers.
func differences(s Seen, all []Seen) (notes []note) {
	if s.Error != "" {
		return nil
	}
	var timings, versions bool
	for _, o := range all {
		if o.Error == "" {
			timings = timings || o.Status.Timings != s.Status.Timings
			versions = versions || o.Status.Versions != s.Status.Versions
		}
	}
	if timings {
		t := s.Status.Timings
		notes = append(notes, note{warn, fmt.Sprintf("Not all replicas have its timings:"+
			" lease duration %v s, renew deadline %v s, retry period %v s.",
			t.LeaseDurationSeconds, t.RenewDeadlineSeconds, t.RetryPeriodSeconds)})
	}
	if versions {
		v := s.Status.Versions
		notes = append(notes, note{"", fmt.Sprintf("Not all replicas run the same: %s, hotseat %s, %s.",
			v.Program, v.Version, v.Go)})
	}
	return notes
}
