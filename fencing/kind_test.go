package fencing_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

// The words are wire formats and metrics' labels: a change of one is a change of those.
func TestKind(t *testing.T) {
	for _, tt := range []struct {
		err                          error
		word                         string
		refused, undecided, miswired bool
	}{
		{&fencing.StaleError{Presented: token(1), Mark: token(2)}, "stale", true, false, false},
		{&fencing.ConflictError{Presented: token(1), Mark: rival(1)}, "conflict", true, false, false},
		{fencing.ErrMissing, "missing", false, false, true},
		{fencing.ErrMalformed, "malformed", false, false, true},
		{fencing.ErrWiring, "wiring", false, false, true},
		{fencing.ErrScope, "scope", false, false, true},
		{fencing.ErrUnavailable, "unavailable", false, true, false},
	} {
		kind := fencing.KindOf(fmt.Errorf("ledger: %w", tt.err))
		require.Equal(t, fencing.Kind(tt.word), kind)
		require.Equal(t, tt.refused, kind.Refused())
		require.Equal(t, tt.undecided, kind.Undecided())
		require.Equal(t, tt.miswired, kind.Miswired())
		require.ErrorIs(t, tt.err, kind.Err())
		require.Equal(t, kind, fencing.KindOf(kind.Err()))
	}
	require.Equal(t, fencing.KindOther, fencing.KindOf(context.Canceled))
	require.Zero(t, fencing.KindOf(nil))
	require.True(t, fencing.KindOther.Undecided())
	require.False(t, fencing.KindOther.Miswired())
	require.False(t, fencing.Kind("").Undecided() || fencing.Kind("").Miswired(), "no error")
	for _, none := range []fencing.Kind{"", fencing.KindOther, "Stale"} {
		require.NoError(t, none.Err(), none)
		require.False(t, none.Refused() || none.Miswired(), none)
	}
}

// What is several kinds at once is the one that tells most.
func TestKindOfSeveral(t *testing.T) {
	for want, err := range map[fencing.Kind]error{
		fencing.KindScope:  fmt.Errorf("%w: %w", fencing.ErrUnavailable, fencing.ErrScope),
		fencing.KindStale:  fmt.Errorf("%w: %w", fencing.ErrUnavailable, &fencing.StaleError{}),
		fencing.KindWiring: fmt.Errorf("%w: %w", fencing.ErrUnavailable, fencing.ErrWiring),
	} {
		require.Equal(t, want, fencing.KindOf(err))
	}
}

func TestKinds(t *testing.T) {
	require.Equal(t, []fencing.Kind{"stale", "conflict", "missing", "malformed", "wiring", "scope", "unavailable", "other"}, fencing.Kinds())
}
