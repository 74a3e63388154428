package catchup

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrBehind: a cache has not caught up in time. errors.As with a [*BehindError] names the kinds.
	// Retry, or let another replica have the term: this one's watch may be broken.
	ErrBehind = errors.New("catchup: caches are behind the API server")

	// ErrVersions: the resourceVersions of a kind cannot be compared, because one is not a decimal
	// number or is missing. Some aggregated API servers have such resourceVersions. In a cache
	// whose transform drops resourceVersions, they are missing. Do not retry.
	ErrVersions = errors.New("catchup: resourceVersions cannot be compared")
)

// BehindError is an [ErrBehind].
type BehindError struct {
	Timeout time.Duration
	Kinds   []Lag // those that are behind
}

// Lag is how far the cache of a kind was behind when the time was up.
type Lag struct {
	Name    string // of the Kind
	Missing int    // objects that the cache does not have
	Older   int    // objects of which the cache has an earlier version
	Deleted int    // objects that the cache still has
	Example string // namespace/name of one of these
	Err     error  // why the last attempt to read the API server or cache failed; nil if it did not
}

func (e *BehindError) Error() string {
	kinds := make([]string, len(e.Kinds))
	for i, lag := range e.Kinds {
		kinds[i] = lag.String()
	}
	return fmt.Sprintf("%v after %v: %s", ErrBehind, e.Timeout, strings.Join(kinds, "; "))
}

// Is reports whether target is [ErrBehind].
func (e *BehindError) Is(target error) bool { return target == ErrBehind }

// Unwrap returns the errors of the kinds.
func (e *BehindError) Unwrap() []error {
	var errs []error
	for _, lag := range e.Kinds {
		if lag.Err != nil {
			errs = append(errs, lag.Err)
		}
	}
	return errs
}

// String says in words how far the cache is behind.
func (l Lag) String() string {
	if l.Err != nil {
		return fmt.Sprintf("%s: %v", l.Name, l.Err)
	}
	return fmt.Sprintf("%s: %d objects missing, %d older, %d deleted ones left, among them %s",
		l.Name, l.Missing, l.Older, l.Deleted, l.Example)
}

func (l Lag) none() bool { return l.Err == nil && l.Missing+l.Older+l.Deleted == 0 }
