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
		add(bad, "%s%s.", strings.ToUpper(s.Error[:1]), s.Error[1:])
	}
	if s.Status.Overrun {
		add(bad, "Work has not returned in time after its term ended.")
	}
	switch {
	case s.Status.NotReady != "":
		add(bad, "Not ready: %s.", strings.TrimPrefix(s.Status.NotReady, "singleton: "))
	case s.Error != "" || s.Status.State != "standby":
	case s.Status.LeaseMissing:
		add(bad, "Cannot take over while the Lease is missing.")
	default:
		add(ok, "Ready.")
	}
	if s.Status.Polls && s.Error == "" {
		add(warn, "May not watch the Lease, and polls it: a handover to it takes longer.")
	}
	if s.Status.Work != nil && s.Error == "" {
		all = append(all, notesOfWork(s.Status)...)
	}
	if other := s.Status.OtherProgram; other != "" {
		add(bad, "Another program holds the Lease: %s. Two applications must not share one.", other)
	}
	if off := clocksOff(s.Status); off != "" && s.Error == "" {
		add(warn, "%s", off)
	}
	for _, g := range s.Status.Guards {
		switch later := number(s.Status.Holder.Epoch) > number(g.Epoch); {
		case g.Accepted && (!holds(s.Status) || s.Error != ""): // of a term that may be over
		case g.Accepted:
			add(ok, "Guard %d accepts writes of epoch %s, and refuses earlier ones."+
				" This was asked at %s UTC, and does not show that work wrote.", g.Index, g.Epoch, clock(g.At))
		case later: // another term has begun since, and its replica tells what the guard says of it
			add("", "Earlier, at %s, guard %d did not accept epoch %s.", clock(g.At), g.Index, g.Epoch)
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

// notesOfWork are about the current term of a replica that answers.
func notesOfWork(s Status) (all []note) {
	add := func(level, format string, args ...any) {
		all = append(all, note{level, fmt.Sprintf(format, args...)})
	}
	w := s.Work
	switch {
	case w.Ending != "":
		text := "Work has to return: " + inWords(w.Ending) + "."
		if !w.Limit.IsZero() {
			text += " It has until " + clock(w.Limit) + " UTC."
		}
		add(warn, "%s", text)
	case !w.Started:
		add(warn, "Work has not started: it waits for the guards and OnAcquire.")
	case w.Progress.IsZero():
		add(quiet, "Progress of work is not monitored.")
	default:
		add("", "Work reported progress %.0f s ago.", max(0, s.At.Sub(w.Progress).Seconds()))
	}
	if w.RenewalSeconds > s.Timings.RetryPeriodSeconds {
		add(warn, "The last renewal took %.1f s: the API server is slow.", w.RenewalSeconds)
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
