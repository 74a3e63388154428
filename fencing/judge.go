package fencing

import (
	"context"
	"errors"
	"fmt"
)

// The judgements that all guards share, for authors of guards. [Guard] says in which order to use
// them. They depend only on their arguments, so many goroutines may call them at once.

// Unfenced reports whether a write may go without a token: t is the zero Token, and ctx allows that
// ([AllowUnfenced]). Guards call it where they admit effects, but never in Announce.
func Unfenced(ctx context.Context, t Token) bool {
	if !t.IsZero() {
		return false
	}
	_, allowed := UnfencedReason(ctx)
	return allowed
}

// OwnToken returns nil if the guard can judge t. The parameter own is the guard's scope. Otherwise
// it returns the guard's refusal: [ErrMissing] for the zero Token, [ErrMalformed] or [ErrScope].
// The guard need not read the mark for that.
func OwnToken(t Token, own string) error {
	if err := t.Validate(); err != nil {
		return err
	}
	if t.Scope != own {
		return fmt.Errorf("%w: the token's scope is %q, the guard's is %q", ErrScope, t.Scope, own)
	}
	return nil
}

// OwnScope returns nil if scope equals own. The parameter own is the scope whose mark the guard
// keeps. Otherwise OwnScope returns the error that the guard's method Mark must return:
// [ErrMalformed] or [ErrScope].
func OwnScope(scope, own string) error {
	if err := ValidateScope(scope); err != nil {
		return err
	}
	if scope != own {
		return fmt.Errorf("%w: asked for the mark of %q, the guard's scope is %q", ErrScope, scope, own)
	}
	return nil
}

// ParseMark reads a mark that a guard has stored, in the text form of [Token]. The parameter own is
// the guard's scope. If the text is not a token, the error is [ErrUnavailable]. If the mark is of
// another scope, the error is [ErrUnavailable] and also [ErrScope]. So nothing is admitted before
// somebody has repaired the mark. The error is never [ErrMalformed], which would blame the caller's
// token.
func ParseMark(text, own string) (Token, error) {
	mark, err := ParseToken(text)
	if err != nil {
		return Token{}, fmt.Errorf("%w: %v", ErrUnavailable, err) //nolint:errorlint // see above
	}
	if err := ownMark(mark, own); err != nil {
		return Token{}, err
	}
	return mark, nil
}

func ownMark(mark Token, own string) error {
	if mark.Scope == own {
		return nil
	}
	return fmt.Errorf("%w: %w: the mark's scope is %q, the guard's is %q",
		ErrUnavailable, ErrScope, mark.Scope, own)
}

// Judge compares a valid token with the mark of its scope. The mark is the zero Token if there is
// none yet. If raises is true, t is newer than the mark, or the first token, and must become the
// mark in the same atomic step. If raises is false and err is nil, t is the mark.
//
// For an older token the error is a [*StaleError]. For another term with the mark's epoch it is a
// [*ConflictError]. For a mark of another scope it is [ErrUnavailable] and also [ErrScope].
func Judge(t, mark Token) (raises bool, err error) {
	if mark.IsZero() {
		return true, nil
	}
	if err := ownMark(mark, t.Scope); err != nil {
		return false, err
	}
	order, err := Compare(t, mark)
	if order < 0 {
		return false, &StaleError{Presented: t, Mark: mark}
	}
	return order > 0, err
}

// FailClosed turns err into a guard's answer. Use it for errors that arise after [OwnToken] has
// accepted the token. FailClosed returns err unchanged if it is nil, a verdict ([ErrStale] or
// [ErrConflict]), [ErrWiring] or [ErrUnavailable]. It wraps everything else in [ErrUnavailable].
// The guard itself must first map permanent errors to [ErrWiring]: only the guard knows how its
// store words them.
func FailClosed(err error) error {
	if err == nil || errors.Is(err, ErrStale) || errors.Is(err, ErrConflict) ||
		errors.Is(err, ErrUnavailable) {
		return err
	}
	return undecided(err)
}

// undecided is FailClosed for an error that cannot be a verdict on a token.
func undecided(err error) error {
	if errors.Is(err, ErrWiring) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
