//go:build unix

package controlplane

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersions(t *testing.T) {
	source, root, err := folders()
	require.NoError(t, err)
	require.FileExists(t, root+"/LICENSE")
	for minor, want := range map[string]string{"": "v" + Newest + ".", Newest: "v" + Newest + ".", Oldest: "v" + Oldest + "."} {
		kube, etcd, err := modules(minor)
		require.NoError(t, err)
		for _, m := range []*module{&kube, &etcd} {
			m.dir = source + "/testdata/" + m.dir
		}
		version, err := kube.version()
		require.NoError(t, err)
		require.Contains(t, version, want)
		_, err = etcd.version()
		require.NoError(t, err)
	}
	_, _, err = modules("1.2")
	require.EqualError(t, err, "controlplane: HOTSEAT_KUBERNETES=1.2: must be 1.37 or 1.33")
}
