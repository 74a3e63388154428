package main

import (
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// kind of an event. The first group is reported by replicas, the second by the
// story.
type kind string

const (
	kindStatus     kind = "status"     // a snapshot of the elector
	kindAcquired   kind = "acquired"   // work of a term starts
	kindDecided    kind = "decided"    // record N will be written
	kindWritten    kind = "written"    // the ledger acknowledged record N
	kindRefused    kind = "refused"    // the ledger refused record N
	kindUnanswered kind = "unanswered" // it may or may not have record N
	kindEnded      kind = "ended"      // work of a term has returned
	kindPage       kind = "page"       // the URL of its status page

	kindAct     kind = "act"     // what the viewer should look at
	kindStarted kind = "started" // a process
	kindExited  kind = "exited"  // a process
	kindFault   kind = "fault"   // done to Replica, or to the Lease
	kindThaw    kind = "thaw"    // SIGCONT after a freeze
	kindStop    kind = "stop"    // the story is over, replicas are told to stop
	kindLog     kind = "log"     // what a replica printed
)

// fault is what the story does to the replicas.
type fault string

const (
	faultHandover fault = "handover" // SIGTERM to the active
	faultCrash    fault = "crash"    // SIGKILL to the active
	faultFreeze   fault = "freeze"   // SIGSTOP to the active, until its thaw
	faultDeletion fault = "deletion" // the Lease is deleted
)

// event is one line of the story's log.
type event struct {
	// At is the wall clock in nanoseconds. All processes are on one machine, so
	// it is one clock; a clock that is set during the story would mislead the
	// audit, never the electors, which do not use it.
	At      int64         `json:"at"`
	Kind    kind          `json:"event"`
	Fault   fault         `json:"fault,omitempty"`
	Replica string        `json:"replica,omitempty"`
	PID     int           `json:"pid,omitempty"`
	Token   fencing.Token `json:"token,omitzero"`
	State   string        `json:"state,omitempty"`
	Valid   time.Duration `json:"valid_ns,omitempty"`
	N       int           `json:"n,omitempty"`
	Stale   bool          `json:"stale,omitempty"` // refused for its old token, and not for anything else
	Mark    fencing.Token `json:"mark,omitzero"`   // that it was refused for
	Text    string        `json:"text,omitempty"`
}

func now() int64 { return time.Now().UnixNano() }
