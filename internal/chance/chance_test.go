package chance_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/chance"
)

func TestNIsBelowItsBound(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 1000 {
		d := chance.N(t.Context(), 5)
		require.GreaterOrEqual(t, d, time.Duration(0))
		require.Less(t, d, time.Duration(5))
		seen[d] = true
	}
	require.Len(t, seen, 5)
}

func TestWithDecides(t *testing.T) {
	ctx := chance.With(t.Context(), func(d time.Duration) time.Duration { return d - 1 })
	require.Equal(t, 9*time.Second-1, chance.N(context.WithoutCancel(ctx), 9*time.Second))
}
