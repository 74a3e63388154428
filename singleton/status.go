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
	Holder   Holder        // as last seen on the Lease; not updated while Run is not running
	Term     *Term         // the current term, for code outside of its work; nil without one
	Token    fencing.Token // of that term; zero without a term
	ValidFor time.Duration // how long that term stays valid unless renewed; 0 without a term
	Overrun  bool          // work has overrun the stop budget or Config.Replica.DrainLimit
	Missing  bool          // there was no Lease at the last look

	// Guard is the last announcement to Config.Guards that failed: which guard, when, and why. It may
	// be of an earlier term of this replica. It is nil once all guards have accepted a later
	// announcement.
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

	observed bool   // the Lease was looked at since Run was called
	found    bool   // and was there once
	missing  bool   // it was not there at the last look
	rights   rights // to write it
}

// Status returns a snapshot. It does no I/O and takes no lock.
func (e *Elector) Status() Status {
	s := e.status.Load()
	out := Status{State: s.state, Since: s.since, Holder: s.holder, Overrun: s.overrun,
		Missing: s.missing, Guard: e.guard.Load()}
	if s.term != nil {
		out.Term, out.Token = s.term, s.term.Token()
		out.ValidFor = max(0, s.term.left())
	}
	return out
}

// Ready returns nil once this replica is able to take over: Run is running, warm-up is done, and
// the Lease has been read. Use it in a readiness probe.
//   - A replica that is not allowed to write the Lease (RBAC) is not ready. It finds that out when
//     Run is called, by a dry run. So a missing right stops the rollout. Otherwise it would come to
//     light only at the next failover.
//   - A standby is ready. A Deployment whose standbys were not ready could never finish a rollout.
//   - Once ready, a replica stays ready in an outage of the API server.
//   - Ready cannot tell whether Config.Guards will accept the token. That shows when the Lease
//     comes free.
//   - A failure of a guard does not make a replica unready. Otherwise a standby would stay unready
//     after the guard was repaired: it announces no token, so it does not learn of the repair. See
//     [Status].Guard.
//   - A guard that is miswired from the start ends Run, and with it readiness.
func (e *Elector) Ready() error {
	switch s := e.status.Load(); {
	case s.state == StateStopped || s.state == StateWarming:
		return fmt.Errorf("singleton: %v", s.state)
	case !s.observed:
		return errors.New("singleton: the Lease has not been read yet")
	case !s.found:
		return errors.New("singleton: the Lease does not exist")
	case s.rights == mayNotWrite:
		return errors.New("singleton: this replica is not allowed to write the Lease")
	case s.rights == unasked:
		return errors.New("singleton: the API server has not said yet" +
			" whether this replica may write the Lease")
	}
	return nil
}

// Live returns an error while work has overrun its stop budget or Config.Replica.DrainLimit. Use it
// in a liveness probe: only the end of the process will stop such work.
func (e *Elector) Live() error {
	if e.status.Load().overrun {
		return errors.New("singleton: work has not returned although its term is over")
	}
	return nil
}
