package lease

import (
	"errors"
	"fmt"
	"strconv"
)

// Kinds of failed request. A [*RequestError] wraps the client's own error and exactly one of these
// kinds, but never ErrUnversioned, which is returned by itself.
var (
	// ErrConflict: the compare-and-swap failed, because somebody else wrote first. The write did not
	// happen. Get the Lease, then decide again.
	ErrConflict = errors.New("the Lease changed since it was read")
	// ErrForbidden: RBAC or admission denied the verb. The write did not
	// happen. Retry only if the verb was allowed before.
	ErrForbidden = errors.New("forbidden")
	// ErrUnauthorized: the server refused the client's credentials. The write did not happen. Retry,
	// because credentials are renewed.
	ErrUnauthorized = errors.New("credentials refused")
	// ErrNoNamespace: the namespace of the Lease does not exist. Do not retry.
	ErrNoNamespace = errors.New("namespace does not exist")
	// ErrRejected: the server found the request invalid. Do not retry.
	ErrRejected = errors.New("rejected by the API server")
	// ErrUnversioned: the server gives objects no uid or resourceVersion, or does not change the
	// resourceVersion with each write. client-go's fake clientset does that. No election is possible
	// on such a server. For tests use package singletontest. Do not retry.
	ErrUnversioned = errors.New("not an API server: objects have no uid or resourceVersion" +
		" that change with each write (for tests use package singletontest)")
	// ErrUnavailable: there is no answer, or one that proves nothing (timeout, reset, 429, 5xx). A
	// write may or may not have happened. Retry.
	ErrUnavailable = errors.New("API server unavailable")
)

// ErrEpochExhausted: the next epoch would have to exceed a number so large that a person must have
// written it. Such a number is in the upper half of the int64 range, or lies more than 2^53 above
// both the store's version and the number that Config.Fencing.Floor returns. It is refused before a
// guard sees it. No retry helps. The message names the number to lower.
var ErrEpochExhausted = errors.New("fencing epoch exhausted")

// FieldError says why a setting was refused.
type FieldError struct {
	Field   string // name of the field
	Value   any    // what it was set to
	Rule    string // what Value must be, such as "must be at least 2s"
	Default bool   // Value was not set: it is the default
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

// RequestError is a failed request on the Lease. errors.Is finds its kind and the client's error.
type RequestError struct {
	Verb string // API verb: list, get, watch, create, patch or update
	Kind error  // one of the kinds above, such as ErrConflict
	Err  error  // what the client returned
}

func (e *RequestError) Error() string {
	return fmt.Sprintf("%s lease: %v: %v", e.Verb, e.Kind, e.Err)
}

// Unwrap returns the kind and the client's error.
func (e *RequestError) Unwrap() []error { return []error{e.Kind, e.Err} }
