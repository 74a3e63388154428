package singleton

import (
	"time"

	"github.com/hotseat-go/hotseat/internal/protocol"
)

// Progress reports that work goes on. With Config.Replica.ProgressWithin, work has to call it: a
// term whose work reports nothing for longer ends with ReasonStalled. Call Progress where something
// was achieved, for example after each item. A timer that calls it would hide a stall. Progress is
// cheap: it reads a clock, and takes no lock. It may be called from any goroutine, and does nothing
// once the term has ended. Code that has only the elector finds the term in [Status].
func (t *Term) Progress() {
	t.progressed()
	t.reports.Store(true)
}

// progressed is Progress. The start of work counts as progress, but not as a report.
func (t *Term) progressed() { t.progress.Store(int64(time.Since(t.began))) }

// progressAge is the time since work last reported progress. It is 0 if no work runs.
func (t *Term) progressAge() time.Duration {
	if t == nil || !t.working.Load() {
		return 0
	}
	return max(0, time.Since(t.began)-time.Duration(t.progress.Load()))
}

// stall is what the loop has seen of a term's progress. It is a value. Times count from when the
// term began.
type stall struct {
	progress time.Duration // the last report
	looked   time.Duration // when the loop last looked
	idle     time.Duration // how long this process has run since that report
}

// look takes in the last report. The loop looks each step. If more time has passed, this process
// did not run meanwhile, and nor did work: a step is all that counts.
func (s stall) look(progress, now, step time.Duration) stall {
	passed := min(now-s.looked, step)
	if progress != s.progress {
		s.idle = 0
		passed = max(0, min(passed, now-progress))
	}
	return stall{progress: progress, looked: now, idle: s.idle + passed}
}

// heed ends the term if its work has stalled. It returns when to look again.
func (r *run) heed(s stall) (next stall, at protocol.Instant) {
	t, within, step := r.reign.term, r.config.Replica.ProgressWithin, r.config.Timing.RetryPeriod
	if within == 0 {
		return s, protocol.Instant{}
	}
	working := t.working.Load() // before its first report is read
	s = s.look(time.Duration(t.progress.Load()), time.Since(t.began), step)
	switch left := within - s.idle; {
	case !working: // its start counts as a report
	case left > 0:
		step = min(step, left)
	case t.ctx.Err() == nil && t.Valid(): // else it is over, or lost, as the watchdog will say
		end := &EndError{Reason: ReasonStalled, Since: t.began.Add(s.progress)}
		r.config.Logger.Warn("work reports no progress: the term ends",
			"token", t.Token().String(), "since", end.Since, "progress_within", within)
		t.end(end)
	}
	return s, r.config.Replica.clock.Now().Add(step)
}

// worked notes how the work of a term did. A replica whose work fails within seconds, again and
// again, lets others go first.
func (r *run) worked(t *Term, cause *EndError) {
	now, served := r.config.Replica.clock.Now(), time.Since(t.began)
	fails := served < r.config.Timing.LeaseDuration
	switch cause.Reason {
	case ReasonStalled:
		fails, served = true, time.Duration(t.progress.Load())
	case ReasonReturned:
		fails = fails && cause.Err != nil
	case ReasonPanicked:
	default:
		fails = false
	}
	r.candidate = r.candidate.Worked(served, fails, now)
	if row, wait := r.candidate.Failures(now); row > 1 && fails {
		r.config.Logger.Warn("work has failed again: other replicas may acquire the Lease first",
			"terms", row, "wait", wait)
	}
}
