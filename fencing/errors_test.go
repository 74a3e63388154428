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
	all := []error{
		fencing.ErrStale, fencing.ErrConflict, fencing.ErrMissing,
		fencing.ErrUnavailable, fencing.ErrMalformed, fencing.ErrScope, context.Canceled,
	}
	other := token(9)
	other.Term = termB
	for _, tt := range []struct {
		err  error
		only error
	}{
		{&fencing.StaleError{Presented: token(8), HighWater: token(9)}, fencing.ErrStale},
		{&fencing.ConflictError{Presented: token(9), HighWater: other}, fencing.ErrConflict},
	} {
		wrapped := fmt.Errorf("append: %w", tt.err)
		for _, sentinel := range all {
			require.Equal(t, sentinel == tt.only, errors.Is(wrapped, sentinel), "%v is %v", wrapped, sentinel)
		}
		require.ErrorContains(t, wrapped, "shop/invoicer@9."+termA)
	}
}
