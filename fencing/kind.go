package fencing

import "errors"

// Kind says in one word what a guard's error means to whoever asked. It is the one classification
// of such errors: the words are on the wires of httpfence and grpcfence, and the values of metrics'
// labels, so they stay as they are. The zero Kind is that of no error.
type Kind string

const (
	KindStale       Kind = "stale"       // [ErrStale]
	KindConflict    Kind = "conflict"    // [ErrConflict]
	KindMissing     Kind = "missing"     // [ErrMissing]
	KindMalformed   Kind = "malformed"   // [ErrMalformed]
	KindWiring      Kind = "wiring"      // [ErrWiring]
	KindScope       Kind = "scope"       // [ErrScope]
	KindUnavailable Kind = "unavailable" // [ErrUnavailable]
	KindOther       Kind = "other"       // none of these: whoever gets it takes it for unavailable
)

// KindOf returns the kind of err. An error that is several of them is the first one in the order of
// the constants: a mark of another scope, which is unavailable too, is of [KindScope]. It is safe
// for concurrent use, and does not allocate for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	for _, n := range named() {
		if errors.Is(err, n.err) {
			return n.kind
		}
	}
	return KindOther
}

// Err returns the error that k is the name of: nil for the zero Kind, [KindOther], and words that
// are none.
func (k Kind) Err() error {
	for _, n := range named() {
		if n.kind == k {
			return n.err
		}
	}
	return nil
}

// Refused reports whether another term won: [KindStale] or [KindConflict].
func (k Kind) Refused() bool { return k == KindStale || k == KindConflict }

// Undecided reports whether the guard decided nothing: [KindUnavailable] or [KindOther]. Whoever
// gets it may try again.
func (k Kind) Undecided() bool { return k == KindUnavailable || k == KindOther }

// Miswired reports whether no token of the caller's would do: [KindMissing], [KindMalformed],
// [KindScope] or [KindWiring]. Somebody has to mend what asks, or whom it asks.
func (k Kind) Miswired() bool {
	return k == KindMissing || k == KindMalformed || k == KindScope || k == KindWiring
}

// Kinds returns all kinds that an error can have, so that a metric can have each series from the
// start.
func Kinds() []Kind {
	kinds := make([]Kind, 0, len(named())+1)
	for _, n := range named() {
		kinds = append(kinds, n.kind)
	}
	return append(kinds, KindOther)
}

type namedError struct {
	kind Kind
	err  error
}

// named has ErrUnavailable last: it says least.
func named() [7]namedError {
	return [...]namedError{
		{KindStale, ErrStale},
		{KindConflict, ErrConflict},
		{KindMissing, ErrMissing},
		{KindMalformed, ErrMalformed},
		{KindWiring, ErrWiring},
		{KindScope, ErrScope},
		{KindUnavailable, ErrUnavailable},
	}
}
