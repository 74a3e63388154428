package node

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/hotseat-go/hotseat/internal/fromsource"
)

// Image is what a node runs without a registry: one layer, with one static program in it.
type Image struct {
	Name    string            // with a tag, for without one it would be pulled
	Package string            // the import path of the command in it
	Module  string            // the folder of the command's module, from this package's; "": this module
	Env     map[string]string // of the program
}

// pauseImage is that of Pods' sandboxes.
func pauseImage() Image {
	return Image{Name: "hotseat.test/pause:1", Package: modulePath + "/pause"}
}

// file is the name of the image's archive.
func (i Image) file() string {
	return strings.NewReplacer("/", "_", ":", "_").Replace(i.Name) + ".tar"
}

// Write builds the program, as a static one, and writes the image to a file: an archive as docker load,
// ctr images import and kind load take it.
func (i Image) Write(ctx context.Context, path string) error {
	tag, err := name.NewTag(i.Name, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("node: image %s: %w", i.Name, err)
	}
	source, err := fromsource.Folder(ctx, modulePath)
	if err != nil {
		return err
	}
	program := path + ".program"
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, i.Package)
	cmd.Dir = filepath.Join(source, i.Module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("node: image %s: building %s: %w: %s", i.Name, i.Package, err, text)
	}
	binary, err := os.ReadFile(program)
	if err := errors.Join(err, os.Remove(program)); err != nil {
		return err
	}
	image, err := i.image(binary)
	if err != nil {
		return fmt.Errorf("node: image %s: %w", i.Name, err)
	}
	return tarball.WriteToFile(path, tag, image)
}

// image holds the program as /program.
func (i Image) image(binary []byte) (v1.Image, error) {
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	header := &tar.Header{Name: "program", Mode: 0o755, Size: int64(len(binary))}
	if err := w.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := w.Write(binary); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files.Bytes())), nil
	}, tarball.WithCompressionLevel(1))
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config.Entrypoint = []string{"/program"}
	file.Config.User = "65532:65532" // restricted Pods may not be root
	for _, key := range slices.Sorted(maps.Keys(i.Env)) {
		file.Config.Env = append(file.Config.Env, key+"="+i.Env[key])
	}
	return mutate.ConfigFile(image, file)
}
