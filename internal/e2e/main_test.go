//go:build unix

// Package e2e holds the tests on a real kube-apiserver and etcd, with real
// processes. They need nothing but Go: what they run is built first, once.
//
//	go test ./...                        # on Kubernetes 1.37 of our own
//	HOTSEAT_KUBERNETES=1.33 go test ./... # on the oldest
//	go test ./... -kubeconfig FILE       # on a cluster that is there ($KUBECONFIG too); what breaks parts is skipped
//	go test -run TestPlanes .            # on other control planes: see planes
//	KUBEBUILDER_ASSETS=/DIR go test ./... # on the kube-apiserver and etcd in a folder; what needs more binaries is skipped
package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/controlplane"
	"github.com/hotseat-go/hotseat/internal/e2e/trial"
)

var kubeconfig = flag.String("kubeconfig", os.Getenv("KUBECONFIG"), "run on the cluster of this `file`")

func TestMain(m *testing.M) {
	if trial.IsReplica() {
		return
	}
	flag.Parse()
	code := m.Run()
	if code == 0 {
		if err := writeResults(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if shared.cluster != nil {
		if code != 0 {
			fmt.Fprintln(os.Stderr, shared.cluster.Logs())
		}
		shared.cluster.Close()
	}
	os.Exit(code)
}

// shared is the control plane that tests use which leave it whole.
var shared struct {
	once    sync.Once
	cluster *controlplane.Cluster
	err     error
}

// buildTime bounds a first build on a slow machine.
const buildTime = 40 * time.Minute

func sharedCluster(t testing.TB) *controlplane.Cluster {
	t.Helper()
	shared.once.Do(func() {
		if *kubeconfig != "" {
			shared.cluster, shared.err = controlplane.Existing(*kubeconfig)
			return
		}
		shared.cluster, shared.err = start(controlplane.Options{})
	})
	require.NoError(t, shared.err)
	return shared.cluster
}

func start(o controlplane.Options) (*controlplane.Cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildTime)
	defer cancel()
	o.Progress = os.Stderr
	return controlplane.Start(ctx, o)
}

// orSkip fails the test, but for what the folder of binaries in KUBEBUILDER_ASSETS
// lacks: that leaves it out.
func orSkip(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, controlplane.ErrMissing) {
		t.Skip(err)
	}
	require.NoError(t, err)
}

// ownCluster is a control plane that the test may break.
func ownCluster(t *testing.T) *controlplane.Cluster {
	t.Helper()
	return ownClusterOf(t, controlplane.Options{})
}

// ownClusterOf is one with options.
func ownClusterOf(t *testing.T, o controlplane.Options) *controlplane.Cluster {
	t.Helper()
	if *kubeconfig != "" {
		t.Skip("needs a control plane that it may break: run without -kubeconfig and $KUBECONFIG")
	}
	c, err := start(o)
	orSkip(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.Logs())
		}
		c.Close()
	})
	return c
}
