package fencing

import "errors"

// Kind says in one word what a guard's error means to the caller. It is the only classification of
// such errors. The words never change, because httpfence and grpcfence send them, and metric labels
// have them as values. The zero Kind stands for no error.
type Kind string

const (
	KindStale       Kind = "stale"       // [ErrStale]
	KindConflict    Kind = "conflict"    // [ErrConflict]
	KindMissing     Kind = "missing"     // [ErrMissing]
	KindMalformed   Kind = "malformed"   // [ErrMalformed]
	KindWiring      Kind = "wiring"      // [ErrWiring]
	KindScope       Kind = "scope"       // [ErrScope]
	KindUnavailable Kind = "unavailable" // [ErrUnavailable]
	KindOther       Kind = "other"       // none of these: treat it as unavailable
)

// KindOf returns the kind of err. If several kinds fit, it returns the first in the order of the
// constants. For example, the error for a mark of another scope is both [ErrScope] and
// [ErrUnavailable], and its kind is [KindScope]. KindOf is safe for concurrent use, and does not
// allocate for nil.
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

// Err returns the error that k names. It is nil for the zero Kind, for [KindOther], and for any
// word that is not one of the kinds.
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

// Undecided reports whether the guard decided nothing: [KindUnavailable] or [KindOther]. The caller
// may try again.
func (k Kind) Undecided() bool { return k == KindUnavailable || k == KindOther }

// Miswired reports whether the guard would refuse every token of the caller: [KindMissing],
// [KindMalformed], [KindScope] or [KindWiring]. A person has to fix the caller, or the guard that
// the caller asks.
func (k Kind) Miswired() bool {
	return k == KindMissing || k == KindMalformed || k == KindScope || k == KindWiring
}

// Kinds returns all kinds that an error can have, so that a metric can have a series for each from
// the start.
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

// named has ErrUnavailable last, because it says least.
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
