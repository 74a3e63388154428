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
		err         error
		word, label string
		refused     bool
	}{
		{&fencing.StaleError{Presented: token(1), Mark: token(2)}, "stale", "stale", true},
		{&fencing.ConflictError{Presented: token(1), Mark: rival(1)}, "conflict", "conflict", true},
		{fencing.ErrMissing, "missing", "missing", false},
		{fencing.ErrMalformed, "malformed", "malformed", false},
		{fencing.ErrWiring, "wiring", "scope", false},
		{fencing.ErrScope, "scope", "scope", false},
		{fencing.ErrUnavailable, "unavailable", "unavailable", false},
	} {
		kind := fencing.KindOf(fmt.Errorf("ledger: %w", tt.err))
		require.Equal(t, fencing.Kind(tt.word), kind)
		require.Equal(t, tt.label, kind.Label())
		require.Equal(t, tt.refused, kind.Refused())
		require.ErrorIs(t, tt.err, kind.Err())
		require.Equal(t, kind, fencing.KindOf(kind.Err()))
	}
	require.Equal(t, fencing.KindOther, fencing.KindOf(context.Canceled))
	require.Zero(t, fencing.KindOf(nil))
	for _, none := range []fencing.Kind{"", fencing.KindOther, "Stale"} {
		require.NoError(t, none.Err(), none)
		require.False(t, none.Refused(), none)
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

func TestLabels(t *testing.T) {
	require.Equal(t, []string{"stale", "conflict", "missing", "malformed", "scope", "unavailable", "other"}, fencing.Labels())
}
