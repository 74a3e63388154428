package fencing

import (
	"errors"
	"fmt"
)

// Guards return these errors, wrapped. Test for them with [errors.Is] or [KindOf].
var (
	// ErrStale: the guard has seen a newer term. Do not retry with this token. Either its term is
	// over, or the API server was restored to an earlier state, so that the Lease has too low an
	// epoch. [errors.As] with a *[StaleError] gives the mark that won.
	ErrStale = errors.New("fencing: stale token")

	// ErrConflict: another term with the same epoch came first. Do not retry: a later term has a
	// greater epoch. [errors.As] with a *[ConflictError] gives both tokens.
	ErrConflict = errors.New("fencing: another term has this epoch")

	// ErrMissing: there is no token, and one is required. Do not retry: the caller does not run inside
	// a term.
	ErrMissing = errors.New("fencing: no token")

	// ErrUnavailable: the guard could not decide, or could not yet make sure that older work has
	// ended. Nothing was admitted. A writer may retry with the same token as long as its term is
	// valid.
	ErrUnavailable = errors.New("fencing: guard unavailable")

	// ErrMalformed: a token or scope breaks a rule of [Token]. Do not retry: it is a bug, or the token
	// was damaged on the way.
	ErrMalformed = errors.New("fencing: malformed token")

	// ErrScope: the token's scope is not the guard's. Do not retry: it is a wiring mistake.
	ErrScope = errors.New("fencing: wrong scope")

	// ErrWiring: there is no guard where the caller looked for one, or the caller may not use it.
	// Examples are a URL that answers 404; a table, object or folder that does not exist; and a
	// permission that was never given. Nothing was admitted. Do not retry: a person has to fix the
	// wiring. The text names what was asked for.
	ErrWiring = errors.New("fencing: guard miswired")
)

// StaleError is an [ErrStale] that says which token won. Presented was refused; or it had been
// admitted, and its work in flight was ended. Mark is the highest token that the guard had admitted
// at that moment.
type StaleError struct{ Presented, Mark Token }

func (e *StaleError) Error() string { return describe(ErrStale, e.Presented, e.Mark) }

// Is reports whether target is [ErrStale].
func (e *StaleError) Is(target error) bool { return target == ErrStale }

// ConflictError is an [ErrConflict] that says which term came first. Presented was refused. Mark
// has the same epoch and another term, and was admitted earlier.
type ConflictError struct{ Presented, Mark Token }

func (e *ConflictError) Error() string { return describe(ErrConflict, e.Presented, e.Mark) }

// Is reports whether target is [ErrConflict].
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

func describe(why error, presented, mark Token) string {
	return fmt.Sprintf("%v: presented %v, mark %v", why, presented, mark)
}

// Refusal returns the token that was refused and the mark that won. They come from the
// [*StaleError] or [*ConflictError] in err. For any other error both are the zero Token.
func Refusal(err error) (presented, mark Token) {
	if stale, ok := errors.AsType[*StaleError](err); ok {
		return stale.Presented, stale.Mark
	}
	if conflict, ok := errors.AsType[*ConflictError](err); ok {
		return conflict.Presented, conflict.Mark
	}
	return Token{}, Token{}
}
