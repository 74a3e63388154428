package fencing

import "errors"

// Kind says in one word what a guard's error means to whoever asked. The words are on the wires of
// httpfence and grpcfence, and values of metrics' labels ([Kind.Label]): they stay as they are.
// The zero Kind is that of no error.
type Kind string

const (
	KindStale       Kind = "stale"       // [ErrStale]
	KindConflict    Kind = "conflict"    // [ErrConflict]
	KindMissing     Kind = "missing"     // [ErrMissing]
	KindMalformed   Kind = "malformed"   // [ErrMalformed]
	KindWiring      Kind = "wiring"      // [ErrWiring]
	KindScope       Kind = "scope"       // [ErrScope], but for wiring
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

// Label returns k as the value of a metric's label. [KindWiring] counts as [KindScope], which that
// error is too: those series were there before it.
func (k Kind) Label() string {
	if k == KindWiring {
		k = KindScope
	}
	return string(k)
}

// Labels returns the values of [Kind.Label] that an error can have, so that a metric can have each
// series from the start.
func Labels() []string {
	labels := make([]string, 0, 7)
	for _, n := range named() {
		if label := n.kind.Label(); label == string(n.kind) {
			labels = append(labels, label)
		}
	}
	return append(labels, KindOther.Label())
}

type namedError struct {
	kind Kind
	err  error
}

// named has ErrWiring before ErrScope, which it is too, and ErrUnavailable last: it says least.
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
