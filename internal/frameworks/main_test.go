//go:build unix

package frameworks

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/internal/controlplane"
)

// cluster is the control plane of all tests.
var cluster *controlplane.Cluster

// buildTime bounds a first build on a slow machine.
const buildTime = 40 * time.Minute

func TestMain(m *testing.M) {
	if os.Getenv(envReplica) != "" {
		live()
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), buildTime)
	defer cancel()
	var err error
	cluster, err = controlplane.Start(ctx, controlplane.Options{Progress: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer cluster.Close()
	code := m.Run()
	if code != 0 {
		fmt.Fprintln(os.Stderr, cluster.Logs())
	}
	return code
}
