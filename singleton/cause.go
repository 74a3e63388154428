package singleton

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hotseat-go/hotseat/internal/protocol"
)

// What an [EndError] is, for errors.Is. Each is context.Canceled too, because net/http and others
// return the cause.
var (
	// ErrLost: this replica is no longer known to be the active one. Stop at
	// once; what is not fenced must not be written any more.
	ErrLost = errors.New("lost")
	// ErrResigned: Resign was called. The Lease is kept until work returns.
	ErrResigned = errors.New("resigned")
	// ErrShuttingDown: the context given to Run ended. The Lease is kept until
	// work returns.
	ErrShuttingDown = errors.New("shutting down")
)

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
	ReasonUnavailable Reason = "unavailable" // a guard did not decide before work started
	ReasonResigned    Reason = "resigned"    // Resign
	ReasonShutdown    Reason = "shutdown"    // Run's context ended
	ReasonReturned    Reason = "returned"    // work returned by itself
	ReasonPanicked    Reason = "panicked"    // work or a hook panicked
)

// reasons in the order they are reported in.
func reasons() []Reason {
	return []Reason{
		ReasonExpired, ReasonTaken, ReasonCleared, ReasonDeleted, ReasonFenced, ReasonRefused, ReasonUnavailable,
		ReasonResigned, ReasonShutdown, ReasonReturned, ReasonPanicked,
	}
}

// EndError says why a term ended. It is the cause of the work's context ([context.Cause]), what
// Hooks.OnLose is told, and what [Term.Raise] and, with Config.OneTerm, [Elector.Run] return once
// the term is over. errors.Is finds context.Canceled, one of ErrLost, ErrResigned and
// ErrShuttingDown where that applies, and Err.
type EndError struct {
	Reason Reason
	Holder string    // for ReasonTaken: by whom
	Since  time.Time // for ReasonExpired: when the last acknowledged write was sent
	Err    error     // what proved or caused it; may be nil
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
		return "resigned"
	case ReasonShutdown:
		return "shutting down"
	}
	if e.Err == nil {
		return string(e.Reason)
	}
	return string(e.Reason) + ": " + e.Err.Error()
}

// Is reports whether target is what the cause stands for.
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

// lossOf turns the proof seen in the Lease into a cause.
func lossOf(err *protocol.LostError) *EndError {
	return &EndError{Reason: Reason(err.Loss), Holder: err.Record.Holder()}
}

// PanicError is what Run panics with after work or a hook panicked: the term
// was given up first.
type PanicError struct {
	Value any    // what it panicked with
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
