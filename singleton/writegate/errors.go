package writegate

import (
	"errors"
	"fmt"

	"github.com/hotseat-go/hotseat/singleton"
)

var (
	// ErrNotActive: this replica is not known to be the active one, so the gate refused a write.
	// Nothing was written. Do not repeat it in this term. A later term may write, after it has read
	// again what the write depends on. errors.As with an [*Error] says why. If a term was lost,
	// errors.Is also finds [singleton.ErrLost].
	ErrNotActive = errors.New("writegate: this replica is not active")

	// ErrUnstampable: the write is of a resource in Config.Stamp, and the gate cannot put the token
	// into it. Nothing was written. Do not retry: the caller has to write in another form. These
	// cannot be stamped:
	//   - a body in a format that the package comment does not list, one with a Content-Encoding, or
	//     one above 16 MiB;
	//   - a body that is not an object with metadata, or not a JSON patch;
	//   - a merge patch that sets metadata or its annotations to null;
	//   - a strategic merge patch with a directive ($patch or $retainKeys) for the object, its
	//     metadata or its annotations.
	ErrUnstampable = errors.New("writegate: the write cannot carry a token")
)

// Reason is why a write was refused.
type Reason string

const (
	ReasonStandby     Reason = "standby"     // this replica has no term
	ReasonLost        Reason = "lost"        // its term is not valid any more
	ReasonOver        Reason = "over"        // the request belongs to a term that is over
	ReasonUnstampable Reason = "unstampable" // see ErrUnstampable
)

// Error is a write that the gate refused. client-go wraps it in a *url.Error; use errors.As. (For
// exec and similar requests over SPDY, client-go keeps only the text of the error.) It is no answer
// of the API server: apierrors.IsNotFound, IsConflict and the like are false.
type Error struct {
	Method string // of the request
	Path   string // of its URL, without the query
	Reason Reason
	Err    error // for ReasonUnstampable: what is in the way; else nil
}

func (e *Error) Error() string {
	why := "this replica has no term"
	switch e.Reason {
	case ReasonLost:
		why = "the term of this replica is not valid any more"
	case ReasonOver:
		why = "the term that it belongs to is over"
	case ReasonUnstampable:
		why = fmt.Sprintf("it cannot carry a token: %v", e.Err)
	}
	return fmt.Sprintf("writegate: %s %s was not sent: %s", e.Method, e.Path, why)
}

// Is reports whether target is [ErrNotActive], [ErrUnstampable] or [singleton.ErrLost], as the
// Reason says.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrUnstampable:
		return e.Reason == ReasonUnstampable
	case ErrNotActive:
		return e.Reason != ReasonUnstampable
	case singleton.ErrLost:
		return e.Reason == ReasonLost || e.Reason == ReasonOver
	}
	return false
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
