package node

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"
)

func TestImage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image.tar")
	i := pauseImage()
	i.Env = map[string]string{"B": "2", "A": "1"}
	require.NoError(t, i.Write(t.Context(), path))
	image, err := tarball.ImageFromPath(path, nil)
	require.NoError(t, err)
	config, err := image.ConfigFile()
	require.NoError(t, err)
	require.Equal(t, []string{"/program"}, config.Config.Entrypoint)
	require.Equal(t, "65532:65532", config.Config.User)
	require.Equal(t, []string{"A=1", "B=2"}, config.Config.Env)
	layers, err := image.Layers()
	require.NoError(t, err)
	require.Len(t, layers, 1)
	manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(path) })
	require.NoError(t, err)
	require.Equal(t, []string{"hotseat.test/pause:1"}, manifest[0].RepoTags)
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "the program is in the image only")

	i.Name = "no tag"
	require.ErrorContains(t, i.Write(t.Context(), path), `image no tag`)
	i = Image{Name: "a.test/b:1", Package: modulePath + "/none"}
	require.ErrorContains(t, i.Write(t.Context(), path), "building "+i.Package)
}
