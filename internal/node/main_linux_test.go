package node

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

const envHousehold = "HOTSEAT_NODE_HOUSEHOLD"

func TestMain(m *testing.M) {
	if IsPart() {
		return
	}
	if dir := os.Getenv(envHousehold); dir != "" {
		fmt.Fprintln(os.Stderr, runHousehold(dir))
		os.Exit(1)
	}
	if os.Getenv(envUp) != "" {
		fmt.Fprintln(os.Stderr, runUp())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// needs leaves the test out, and says so, where a machine cannot run nodes. CI may not do without.
func needs(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	require.ErrorIs(t, err, ErrCannot)
	require.Empty(t, os.Getenv("CI"), "CI may not do without nodes: %v", err)
	fmt.Fprintf(os.Stderr, "node: SKIPPED: %s: %v\n", t.Name(), err)
	t.Skip(err)
}
