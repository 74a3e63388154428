//go:build unix

package controlplane

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAssets: a folder as setup-envtest makes it takes the place of a build.
func TestAssets(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(EnvAssets, dir)
	_, err := Build(t.Context(), "", io.Discard)
	require.ErrorIs(t, err, ErrMissing)
	require.EqualError(t, err, "controlplane: KUBEBUILDER_ASSETS="+dir+": kube-apiserver and etcd: not in the folder of binaries; unset it, and what is needed is built")

	put := func(name, says string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho '"+says+"'\n"), 0o700))
	}
	put("kube-apiserver", "Kubernetes v1.36.2")
	put("etcd", "etcd Version: 3.6.7")
	b, err := Build(t.Context(), "", io.Discard)
	require.NoError(t, err)
	require.Equal(t, "v1.36.2", b.KubeVersion)
	require.Equal(t, "v3.6.7", b.EtcdVersion)
	require.Equal(t, []string{filepath.Join(dir, "etcd")}, b.command("etcd"))

	_, err = Build(t.Context(), Newest, io.Discard)
	require.EqualError(t, err, "controlplane: KUBEBUILDER_ASSETS="+dir+" has Kubernetes v1.36.2, HOTSEAT_KUBERNETES asks for 1.37")

	_, err = Start(t.Context(), Options{Controllers: true})
	require.ErrorIs(t, err, ErrMissing)
	require.ErrorContains(t, err, "kube-controller-manager and kube-scheduler")
	_, err = (&Cluster{binaries: b}).tool(t.Context(), "etcdctl", "version")
	require.ErrorIs(t, err, ErrMissing)

	put("etcd", "hello")
	_, err = Build(t.Context(), "", io.Discard)
	require.ErrorContains(t, err, `"hello" does not begin with "etcd Version: "`)
	t.Setenv(EnvAssets, "bin")
	_, err = Build(t.Context(), "", io.Discard)
	require.EqualError(t, err, "controlplane: KUBEBUILDER_ASSETS=bin: must be an absolute path")
}
