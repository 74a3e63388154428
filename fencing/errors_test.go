package fencing_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

func TestTypedErrors(t *testing.T) {
	all := map[string]error{
		"ErrStale": fencing.ErrStale, "ErrConflict": fencing.ErrConflict, "ErrMissing": fencing.ErrMissing,
		"ErrUnavailable": fencing.ErrUnavailable, "ErrMalformed": fencing.ErrMalformed, "ErrScope": fencing.ErrScope, "ErrWiring": fencing.ErrWiring,
		"context.Canceled": context.Canceled,
	}
	other := token(9)
	other.Term = termB
	for _, tt := range []struct {
		err  error
		only string
	}{
		{&fencing.StaleError{Presented: token(8), Mark: token(9)}, "ErrStale"},
		{&fencing.ConflictError{Presented: token(9), Mark: other}, "ErrConflict"},
	} {
		wrapped := fmt.Errorf("append: %w", tt.err)
		for name, sentinel := range all {
			require.Equal(t, name == tt.only, errors.Is(wrapped, sentinel), name)
		}
		require.ErrorContains(t, wrapped, "shop/invoicer@9."+termA)
	}
}

func TestRefusal(t *testing.T) {
	older, newer := token(1), token(2)
	for _, err := range []error{
		&fencing.StaleError{Presented: older, Mark: newer}, &fencing.ConflictError{Presented: older, Mark: newer},
	} {
		presented, mark := fencing.Refusal(fmt.Errorf("wrapped: %w", err))
		require.Equal(t, older, presented)
		require.Equal(t, newer, mark)
	}
	for _, err := range []error{nil, fencing.ErrStale, fencing.ErrUnavailable} {
		presented, mark := fencing.Refusal(err)
		require.Zero(t, presented)
		require.Zero(t, mark)
	}
}
