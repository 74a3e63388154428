package singleton

import (
	"time"

	"github.com/hotseat-go/hotseat/internal/protocol"
)

// TermStatus is a snapshot of how a term goes.
type TermStatus struct {
	Working  bool          // work was called: the guards and OnAcquire let it start
	Progress time.Time     // when work last called [Term.Progress]; zero if it never did
	Renewal  time.Duration // how long the last acknowledged renewal took; 0 before the first
	Ending   *EndError     // why the work's context has ended; nil while it has not

	// Limit is by when work has to return: within Config.Replica.DrainLimit after the end of its
	// context, and within the stop budget if the term was lost. It is zero until work drains.
	Limit time.Time
}

// Status returns a snapshot. It takes no lock and makes no request.
func (t *Term) Status() TermStatus {
	s := TermStatus{
		Working: t.working.Load(), Renewal: time.Duration(t.renewal.Load()), Ending: t.cause(),
	}
	if t.reports.Load() {
		s.Progress = t.began.Add(time.Duration(t.progress.Load())).Round(0)
	}
	if limit := t.limit.Load(); limit != nil {
		s.Limit = limit.Wall()
	}
	return s
}

// mustReturn publishes by when work has to return.
func (t *Term) mustReturn(limit protocol.Instant) { t.limit.Store(&limit) }
