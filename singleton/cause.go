package singleton

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hotseat-go/hotseat/internal/protocol"
)

// Classes of [EndError], for errors.Is. For an EndError, errors.Is(err, context.Canceled) is always
// true. Some packages, such as net/http, return the cause of a context's end as their error. So
// code that tests such an error for context.Canceled goes on working.
var (
	// ErrLost: this replica is no longer known to be the active one. Stop at once. If work still
	// has to write in order to clean up, it may make only writes that a guard checks.
	ErrLost = errors.New("lost")
	// ErrResigned: Resign was called. The Lease is kept until work returns.
	ErrResigned = errors.New("resigned")
	// ErrShuttingDown: the context given to Run ended. The Lease is kept until
	// work returns.
	ErrShuttingDown = errors.New("shutting down")
)

// ErrUnfinished is what work returns, alone or wrapped, if something that it started may still be
// running, for instance after a graceful stop that took too long. [Elector.Run] then does not
// release the Lease: standbys wait until it expires, a LeaseDuration after the last renewal. Run
// returns work's error, whatever ended the term and even if Run's context ended. End the process
// then, and do not call Run again.
var ErrUnfinished = errors.New("unfinished: something that work started may still be running")

// ErrRunning is returned by [Elector.Run] while an earlier call has not returned.
var ErrRunning = errors.New("singleton: already running")

// Reason is why a term ended; the label of hotseat_terms_total.
type Reason string

const (
	ReasonExpired     Reason = "expired"     // not renewed in time
	ReasonTaken       Reason = "taken"       // the Lease names another holder or term
	ReasonCleared     Reason = "cleared"     // the holder was removed from the Lease
	ReasonDeleted     Reason = "deleted"     // the Lease was deleted
	ReasonFenced      Reason = "fenced"      // the Lease carries a higher epoch
	ReasonRefused     Reason = "refused"     // a guard refused the token
	ReasonUnavailable Reason = "unavailable" // a guard did not decide, so work did not start
	ReasonResigned    Reason = "resigned"    // Resign
	ReasonShutdown    Reason = "shutdown"    // Run's context ended
	ReasonReturned    Reason = "returned"    // work returned by itself
	ReasonPanicked    Reason = "panicked"    // work or a hook panicked
	ReasonStalled     Reason = "stalled"     // work reported no progress
)

// reasons in the order of the metrics.
func reasons() []Reason {
	return []Reason{
		ReasonExpired, ReasonTaken, ReasonCleared, ReasonDeleted, ReasonFenced, ReasonRefused,
		ReasonUnavailable, ReasonResigned, ReasonShutdown, ReasonReturned, ReasonPanicked,
		ReasonStalled,
	}
}

// EndError says why a term ended. It is the cause of the end of the work's context
// ([context.Cause]), and Hooks.OnLose gets it. Once the term is over, [Term.Raise] returns it, and
// so does [Elector.Run] with Config.OneTerm.
//
// errors.Is finds
//   - context.Canceled, always;
//   - ErrLost, ErrResigned or ErrShuttingDown, where one applies; and
//   - Err.
type EndError struct {
	Reason    Reason
	Holder    string // for ReasonTaken: who took the Lease
	Successor string // for ReasonResigned: who was named to be active next; may be empty
	// Since is when the last acknowledged write was sent, for ReasonExpired. For ReasonStalled it is
	// when work last reported progress.
	Since time.Time
	Err   error // what proved or caused the end; may be nil
}

func (e *EndError) Error() string {
	switch e.Reason {
	case ReasonExpired:
		return fmt.Sprintf("lost: not renewed since %s", e.Since.Format(time.RFC3339Nano))
	case ReasonTaken:
		return fmt.Sprintf("lost: taken by %q", e.Holder)
	case ReasonCleared:
		return "lost: holder cleared from the Lease"
	case ReasonDeleted:
		return "lost: Lease deleted"
	case ReasonFenced:
		return "lost: a higher fencing epoch is on the Lease"
	case ReasonPanicked:
		if panicked, ok := errors.AsType[*PanicError](e.Err); ok { // the stack is Run's to show
			return fmt.Sprintf("panicked: %v", panicked.Value)
		}
	case ReasonResigned:
		if e.Successor != "" {
			return fmt.Sprintf("resigned in favor of %q", e.Successor)
		}
		return "resigned"
	case ReasonShutdown:
		return "shutting down"
	case ReasonStalled:
		return "stalled: no progress since " + e.Since.Format(time.RFC3339Nano)
	}
	if e.Err == nil {
		return string(e.Reason)
	}
	return string(e.Reason) + ": " + e.Err.Error()
}

// Is reports whether target is one of the errors that Reason stands for.
func (e *EndError) Is(target error) bool {
	switch target {
	case context.Canceled:
		return true
	case ErrLost:
		return e.lost()
	case ErrResigned:
		return e.Reason == ReasonResigned
	case ErrShuttingDown:
		return e.Reason == ReasonShutdown
	}
	return false
}

// Unwrap returns Err.
func (e *EndError) Unwrap() error { return e.Err }

func (e *EndError) lost() bool {
	switch e.Reason {
	case ReasonExpired, ReasonTaken, ReasonCleared, ReasonDeleted, ReasonFenced:
		return true
	}
	return false
}

// lossOf turns the proof seen on the Lease into a cause.
func lossOf(err *protocol.LostError) *EndError {
	return &EndError{Reason: Reason(err.Loss), Holder: err.Record.Holder()}
}

// PanicError is what Run panics with after work or a hook panicked. The term was given up first.
type PanicError struct {
	Value any    // what work or the hook panicked with
	Stack []byte // where
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("singleton: work or hook panicked: %v\n%s", e.Value, e.Stack)
}

// Unwrap returns Value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
