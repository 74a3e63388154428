package singleton

import (
	"errors"
	"fmt"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// State of an elector.
type State int

const (
	StateStopped   State = iota // Run is not running
	StateWarming                // WarmUp runs
	StateStandby                // ready to take over
	StateAcquiring              // writing the Lease
	StateActive                 // holding the Lease; work runs, or is about to
	StateDraining               // the term's context ended, work has not returned
)

func (s State) String() string {
	names := [...]string{"stopped", "warming", "standby", "acquiring", "active", "draining"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("State(%d)", int(s))
	}
	return names[s]
}

// Status is a snapshot of an elector.
type Status struct {
	State    State
	Since    time.Time     // when State was entered
	Holder   Holder        // as last seen on the Lease, while Run ran
	Term     *Term         // the current one, for whoever is outside of its work; nil without one
	Token    fencing.Token // of that term, zero without one
	ValidFor time.Duration // how long that term stays valid unless renewed, 0 without one
	Overrun  bool          // its work has outstayed the stop budget, or Config.Replica.DrainLimit
	Missing  bool          // there was no Lease when it was looked at last

	// Guard is the last announcement to Config.Guards that failed, of the current
	// term or an earlier one of this replica's: which guard, when, and why. Nil
	// once all guards took one after it.
	Guard *GuardError
}

// status is what the loop publishes; immutable.
type status struct {
	state   State
	next    chan struct{} // closed when another state has been published
	since   time.Time
	holder  Holder
	term    *Term
	overrun bool

	observed bool // the Lease was looked at since Run was called
	found    bool // and was there once
	missing  bool // it was not there when it was looked at last
}

// Status returns a snapshot. It does no I/O and takes no lock.
func (e *Elector) Status() Status {
	s := e.status.Load()
	out := Status{State: s.state, Since: s.since, Holder: s.holder, Overrun: s.overrun, Missing: s.missing, Guard: e.guard.Load()}
	if s.term != nil {
		out.Term, out.Token = s.term, s.term.Token()
		out.ValidFor = max(0, s.term.left())
	}
	return out
}

// Ready returns nil once this replica is able to take over, for a readiness
// probe: Run is running, warm, and has read the Lease. A standby is ready, since
// a Deployment whose standbys were not could never finish a rollout; and an API
// outage later makes nobody unready. It cannot know whether an update will be
// allowed, or what Config.Guards will say: that shows when the Lease comes free.
// What a guard said in an earlier term makes nobody unready either, since a standby
// would not notice that it was mended; it is in [Status]. A guard that is wired to
// something else from the start ends Run, and with it readiness.
func (e *Elector) Ready() error {
	switch s := e.status.Load(); {
	case s.state == StateStopped || s.state == StateWarming:
		return fmt.Errorf("singleton: %v", s.state)
	case !s.observed:
		return errors.New("singleton: the Lease has not been read yet")
	case !s.found:
		return errors.New("singleton: the Lease does not exist")
	}
	return nil
}

// Live returns an error while work has outstayed its stop budget or
// Config.Replica.DrainLimit, for a liveness probe: only ending the process will stop it.
func (e *Elector) Live() error {
	if e.status.Load().overrun {
		return errors.New("singleton: work has not returned although its term is over")
	}
	return nil
}
