package fencing_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

func TestReportPassesRefusalsOn(t *testing.T) {
	var told []error
	ctx := fencing.WithReporter(t.Context(), func(err error) { told = append(told, err) })
	stale := fmt.Errorf("writing: %w", &fencing.StaleError{Presented: token(1), Mark: token(2)})
	conflict := &fencing.ConflictError{Presented: token(1), Mark: rival(1)}
	for _, err := range []error{
		stale, conflict,
		nil, fencing.ErrMissing, fencing.ErrMalformed, fencing.ErrUnavailable, fencing.ErrScope, context.Canceled,
	} {
		require.Equal(t, err, fencing.Report(ctx, err), "the error is not touched")
		require.Equal(t, err, fencing.Report(t.Context(), err), "nobody needs to be there")
		require.Equal(t, err, fencing.Report(fencing.WithReporter(ctx, nil), err))
	}
	require.Equal(t, []error{stale, conflict}, told)
}

func TestGuardsReportRefusals(t *testing.T) {
	for name, g := range trackers(t) {
		t.Run(name, func(t *testing.T) {
			var told []error
			ctx := fencing.WithReporter(t.Context(), func(err error) { told = append(told, err) })

			work, leave, err := g.Enter(ctx, token(7))
			require.NoError(t, err)
			context.AfterFunc(work, leave)
			require.NoError(t, g.Announce(t.Context(), token(8)))
			require.Len(t, told, 1, "work in flight that a newer token ended")
			require.Equal(t, context.Cause(work), told[0])

			require.ErrorIs(t, g.Check(ctx, token(7)), fencing.ErrStale)
			_, _, err = g.Enter(ctx, rival(8))
			require.ErrorIs(t, err, fencing.ErrConflict)
			require.ErrorIs(t, g.Check(ctx, fencing.Token{}), fencing.ErrMissing)
			require.NoError(t, g.Check(ctx, token(8)))
			require.Len(t, told, 3)
			require.Equal(t, err, told[2])
		})
	}
}
