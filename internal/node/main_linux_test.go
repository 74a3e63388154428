package node

import (
	"fmt"
	"os"
	"path/filepath"
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

// envResults names the folder of the sections of RESULTS.md, which follow each other by their names.
const envResults = "HOTSEAT_NODE_RESULTS"

// report prints a section of RESULTS.md. make node keeps it, if every test went through.
func report(t *testing.T, name, section string) {
	t.Helper()
	fmt.Fprintln(t.Output(), section)
	if dir := os.Getenv(envResults); dir != "" && !t.Failed() {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".md"), []byte(section), 0o600))
	}
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
