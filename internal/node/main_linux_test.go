package node

import (
	"fmt"
	"os"
	"testing"
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
	os.Exit(m.Run())
}

// needs leaves the test out, and says so, where a machine cannot run nodes. CI may not do without.
func needs(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("CI may not do without nodes: ", err)
	}
	fmt.Fprintf(os.Stderr, "node: SKIPPED: %s: %v\n", t.Name(), err)
	t.Skip(err)
}
