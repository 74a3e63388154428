package fencing

import (
	"context"
	"errors"
	"fmt"
)

// The judgements that all guards share, for whoever writes one; [Guard] says in which order. They
// are functions of their arguments alone, so they may be called by many goroutines at once.

// Unfenced reports whether a write that carries t needs none: t is the zero Token, and ctx allows
// that ([AllowUnfenced]). Guards ask it where they admit effects, but never in Announce.
func Unfenced(ctx context.Context, t Token) bool {
	if !t.IsZero() {
		return false
	}
	_, allowed := UnfencedReason(ctx)
	return allowed
}

// OwnToken returns nil if t is one that a guard for the scope own can judge. Otherwise the guard
// refuses it before it asks for the mark: with [ErrMissing] for the zero Token, with [ErrMalformed],
// or with [ErrScope].
func OwnToken(t Token, own string) error {
	if err := t.Validate(); err != nil {
		return err
	}
	if t.Scope != own {
		return fmt.Errorf("%w: the token is of %q, the guard is for %q", ErrScope, t.Scope, own)
	}
	return nil
}

// OwnScope returns nil if scope is the one whose mark a guard for the scope own keeps. Otherwise it
// is [ErrMalformed] or [ErrScope], as Mark returns them.
func OwnScope(scope, own string) error {
	if err := ValidateScope(scope); err != nil {
		return err
	}
	if scope != own {
		return fmt.Errorf("%w: asked for the mark of %q, the guard is for %q", ErrScope, scope, own)
	}
	return nil
}

// ParseMark reads a mark as a guard for the scope own has stored it: in the text form of [Token].
// All else is [ErrUnavailable], so that nothing is admitted before somebody mended it: text that is
// no token, and the mark of another scope, which is [ErrScope] too. It is never [ErrMalformed],
// which would blame the caller's token.
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
	return fmt.Errorf("%w: %w: the mark is of %q, the guard is for %q", ErrUnavailable, ErrScope, mark.Scope, own)
}

// Judge compares a valid token with the mark of its scope, the zero Token where there is none yet.
// Raises tells that t is newer, or the first, and must become the mark in the same atomic step.
// False and nil: t is the mark.
//
// An older token is a [*StaleError], another term with the mark's epoch a [*ConflictError]. A mark
// of another scope is [ErrUnavailable], and [ErrScope] too.
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

// FailClosed returns what a guard answers when err came up after the token was found to be its own:
// a verdict ([ErrStale], [ErrConflict]), [ErrWiring], [ErrUnavailable] and nil as they are,
// everything else wrapped in [ErrUnavailable]. What no waiting mends must be made [ErrWiring]
// before: only the guard knows its store's words for that.
func FailClosed(err error) error {
	if err == nil || errors.Is(err, ErrStale) || errors.Is(err, ErrConflict) || errors.Is(err, ErrUnavailable) {
		return err
	}
	return undecided(err)
}

// undecided is FailClosed of what knows no token, and so can have no verdict on one.
func undecided(err error) error {
	if errors.Is(err, ErrWiring) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
