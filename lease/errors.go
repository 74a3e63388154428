package lease

import (
	"errors"
	"fmt"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Kinds of failed request. A [*RequestError] wraps exactly one of them and the
// client's own error.
var (
	// ErrConflict: the compare-and-swap failed, someone else wrote first. The
	// write did not happen. List, then decide again.
	ErrConflict = errors.New("lease changed since it was read")
	// ErrForbidden: RBAC or admission denied the verb. The write did not
	// happen. Retry only if the verb was allowed before.
	ErrForbidden = errors.New("forbidden")
	// ErrUnauthorized: the server refused the client's credentials. The write
	// did not happen. Retry: tokens are renewed.
	ErrUnauthorized = errors.New("credentials refused")
	// ErrNoNamespace: the Lease's namespace does not exist. Not worth a retry.
	ErrNoNamespace = errors.New("namespace does not exist")
	// ErrRejected: the server found the request invalid. Not worth a retry.
	ErrRejected = errors.New("rejected by the API server")
	// ErrUnversioned: the server gives objects no uid or resourceVersion, or does not
	// change them: client-go's fake clientset does so. No election is possible on it.
	// For tests there is package singletontest. Not worth a retry.
	ErrUnversioned = errors.New("not an API server: objects have no uid or resourceVersion that change with each write (for tests use package singletontest)")
	// ErrUnavailable: no answer, or one that proves nothing (timeout, reset,
	// 429, 5xx). A write may or may not have happened. Retry.
	ErrUnavailable = errors.New("API server unavailable")
)

var (
	// ErrUnheard: writes of an acquire arrive, their answers do not. Let others
	// go first: a term that can never start would be renewed in everybody's eyes.
	ErrUnheard = errors.New("acquired, but answers to writes do not arrive")
	// ErrUnopened: a watch was accepted and its header does not come, as behind a
	// proxy that buffers answers (nginx with its defaults). Retry.
	ErrUnopened = errors.New("the watch does not open: does a proxy buffer its answer?")
	// ErrEpochExhausted: a number that the next fencing epoch must lie above is one
	// that only a hand can have written: it lies 2^53 or more above the store's
	// version and Config.Fencing.Floor's number, or above half of all numbers. It is refused
	// before a guard takes it for its mark. No retry helps; the message names the
	// number to be lowered.
	ErrEpochExhausted = errors.New("fencing epoch exhausted")
	errLost           = errors.New("term lost") // what every LostError is
)

// FieldError is a refused setting.
type FieldError struct {
	Field   string // name of the field
	Value   any    // what it was set to
	Rule    string // the rule it breaks, with the other number in it
	Default bool   // Value was not set, it is the default
}

func (e *FieldError) Error() string {
	value := fmt.Sprint(e.Value)
	if s, ok := e.Value.(string); ok {
		value = strconv.Quote(s)
	}
	if e.Default {
		value += " (the default)"
	}
	return e.Field + " " + value + " " + e.Rule
}

// RequestError is a failed request on the Lease. errors.Is finds its kind and
// the client's error.
type RequestError struct {
	Verb string // API verb: list, get, watch, create, patch or update
	Kind error  // one of ErrConflict, ErrForbidden, ErrUnauthorized, ErrNoNamespace, ErrRejected, ErrUnavailable
	Err  error  // what the client returned
}

func (e *RequestError) Error() string {
	return fmt.Sprintf("%s lease: %v: %v", e.Verb, e.Kind, e.Err)
}

// Unwrap returns the kind and the client's error.
func (e *RequestError) Unwrap() []error { return []error{e.Kind, e.Err} }

// Loss says how a term was seen to be over.
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
	return &RequestError{Verb: verb, Kind: kindOf(verb, err), Err: err}
}

// conflict is a write that did not have its effect although no error says so.
func conflict(verb, why string) error {
	return &RequestError{Verb: verb, Kind: ErrConflict, Err: errors.New(why)}
}

func kindOf(verb string, err error) error {
	switch {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return ErrConflict
	case apierrors.IsForbidden(err):
		return ErrForbidden
	case apierrors.IsUnauthorized(err):
		return ErrUnauthorized
	case apierrors.IsNotFound(err):
		if status := apierrors.APIStatus(nil); errors.As(err, &status) {
			if d := status.Status().Details; d != nil && d.Kind == "namespaces" {
				return ErrNoNamespace
			}
		}
		if verb != "update" && verb != "patch" {
			return ErrUnavailable // no such API: a wrong or half-started server
		}
		return ErrConflict // the Lease we meant to write is gone
	case verb == "patch" && apierrors.IsInvalid(err):
		return ErrConflict // a test in it failed
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsMethodNotSupported(err),
		apierrors.ReasonForError(err) == metav1.StatusReasonUnsupportedMediaType:
		return ErrRejected
	default:
		return ErrUnavailable
	}
}
