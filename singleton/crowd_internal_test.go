package singleton

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCrowdWaitsAreShort: whatever it lost before, a standby is not seen to wait.
func TestCrowdWaitsAreShort(t *testing.T) {
	var c crowd
	c.next(t.Context())
	require.Zero(t, c.turn, "one that never lost")
	for range 100 {
		c.lost()
		for range 100 {
			c.next(t.Context())
			require.Less(t, c.turn, 200*time.Millisecond)
		}
	}
}
