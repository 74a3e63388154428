package protocol

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/lease"
)

var (
	// ErrUnheard: the writes of an acquire arrive, but their answers do not. Let others acquire first:
	// this replica would renew a term that can never start.
	ErrUnheard = errors.New("acquired, but answers to writes do not arrive")
	// ErrUnopened: a watch was accepted, but its header does not arrive. A proxy that buffers answers
	// does that (nginx with its defaults). Retry.
	ErrUnopened = errors.New("the watch does not open: does a proxy buffer its answer?")
	errLost     = errors.New("term lost") // what every LostError is
)

// Loss says what showed that a term is over.
type Loss string

// The definite losses: the record proves them, no deadline needs to pass.
const (
	LossTaken   Loss = "taken"   // the record names another holder or term
	LossCleared Loss = "cleared" // the record names no holder
	LossDeleted Loss = "deleted" // the Lease is gone, or another one has its name
	LossFenced  Loss = "fenced"  // the record carries a higher epoch than ours
)

// LostError is the proof, seen in the Lease, that a term is over.
type LostError struct {
	Loss   Loss
	Record Record // what was seen
}

func (e *LostError) Error() string {
	switch e.Loss {
	case LossTaken:
		return fmt.Sprintf("term lost: taken by %q", e.Record.Holder())
	case LossCleared:
		return "term lost: holder cleared from the Lease"
	case LossFenced:
		return "term lost: Lease carries a higher fencing epoch"
	default:
		return "term lost: Lease deleted"
	}
}

// Is reports whether target is what every LostError is.
func (e *LostError) Is(target error) bool { return target == errLost }

// requestError classifies what the client returned.
func requestError(verb string, err error) error {
	return &lease.RequestError{Verb: verb, Kind: kindOf(verb, err), Err: err}
}

// conflict is a write that did not have its effect although no error says so.
func conflict(verb, why string) error {
	return &lease.RequestError{Verb: verb, Kind: lease.ErrConflict, Err: errors.New(why)}
}

func kindOf(verb string, err error) error {
	switch {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return lease.ErrConflict
	case apierrors.IsForbidden(err):
		return lease.ErrForbidden
	case apierrors.IsUnauthorized(err):
		return lease.ErrUnauthorized
	case apierrors.IsNotFound(err):
		if status := apierrors.APIStatus(nil); errors.As(err, &status) {
			if d := status.Status().Details; d != nil && d.Kind == "namespaces" {
				return lease.ErrNoNamespace
			}
		}
		if verb != "update" && verb != "patch" {
			return lease.ErrUnavailable // no such API: a wrong or half-started server
		}
		return lease.ErrConflict // the Lease we meant to write is gone
	case verb == "patch" && apierrors.IsInvalid(err):
		return lease.ErrConflict // a test in it failed
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsMethodNotSupported(err),
		apierrors.ReasonForError(err) == metav1.StatusReasonUnsupportedMediaType:
		return lease.ErrRejected
	default:
		return lease.ErrUnavailable
	}
}
