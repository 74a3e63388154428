//go:build unix

package trial

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/hotseat-go/hotseat/fencing"
)

// Kind of an [Event].
type Kind string

// What replicas report.
const (
	Acquired   Kind = "acquired"   // work of a term begins
	Led        Kind = "led"        // client-go's elector leads, over a lock of hotseat's
	Ended      Kind = "ended"      // work of a term has returned
	Written    Kind = "written"    // the ledger acknowledged record N
	Refused    Kind = "refused"    // the ledger refused record N
	Unanswered Kind = "unanswered" // it may or may not have record N
	Hung       Kind = "hung"       // its work hangs after record N
	Frozen     Kind = "frozen"     // it sends itself SIGSTOP, record N decided and not sent
)

// What the trial reports.
const (
	Started  Kind = "started"  // a process
	Exited   Kind = "exited"   // a process; all it reported comes before
	Said     Kind = "said"     // a process, on stderr
	Fault    Kind = "fault"    // Text, to the process PID if not 0, begins
	Over     Kind = "over"     // the last Fault is over: from now on a replica has to get active
	Thawed   Kind = "thawed"   // SIGCONT to PID
	Ending   Kind = "ending"   // PID was told to end, or will be killed
	Released Kind = "released" // the Lease was seen without holder, which had been Token's
	Stopping Kind = "stopping" // the trial is over: all are told to end
)

// Event is something that happened in a trial.
type Event struct {
	// At is CLOCK_MONOTONIC in nanoseconds, which the processes of a machine
	// share.
	At      int64         `json:"at"`
	Kind    Kind          `json:"kind"`
	Replica string        `json:"replica,omitempty"`
	PID     int           `json:"pid,omitempty"`
	Token   fencing.Token `json:"token,omitzero"` // zero: another elector's
	N       int           `json:"n,omitempty"`
	Text    string        `json:"text,omitempty"`
}

// Now is the time for Event.At.
func Now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(fmt.Sprintf("trial: CLOCK_MONOTONIC: %v", err)) // every Unix has it
	}
	return t.Nano()
}
