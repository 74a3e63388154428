//go:build unix

package controlplane

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersions(t *testing.T) {
	source, err := folder(t.Context())
	require.NoError(t, err)
	for minor, want := range map[string]string{
		"": "v" + Newest + ".", Newest: "v" + Newest + ".", Oldest: "v" + Oldest + ".",
	} {
		kube, etcd, err := modules(source, minor)
		require.NoError(t, err)
		version, err := kube.Version()
		require.NoError(t, err)
		require.Contains(t, version, want)
		_, err = etcd.Version()
		require.NoError(t, err)
	}
	version, err := kineModule(source).Version()
	require.NoError(t, err)
	require.NotEmpty(t, version)
	_, _, err = modules(source, "1.2")
	require.EqualError(t, err, "controlplane: HOTSEAT_KUBERNETES=1.2: must be 1.37 or 1.33")
}
