//go:build unix

package controlplane

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hotseat-go/hotseat/internal/fromsource"
)

// EnvKubernetes names the Kubernetes minor to run: [Newest] or [Oldest].
const EnvKubernetes = "HOTSEAT_KUBERNETES"

// The minors that the tests run: the newest, and the oldest that README claims.
const (
	Newest = "1.37"
	Oldest = "1.33"
)

// modules are what the binaries are built from, in the folder of this package.
func modules(source, minor string) (kube, etcd fromsource.Module, err error) {
	kube = fromsource.Module{
		Dir: filepath.Join(source, "testdata", "kube"), Main: "k8s.io/kubernetes", Packages: []string{"."},
		Says: []string{
			"k8s.io/component-base/version.gitVersion", "k8s.io/client-go/pkg/version.gitVersion",
		},
	}
	switch minor {
	case "", Newest:
	case Oldest:
		kube.Modfile, kube.Tags = "oldest.mod", "oldest"
	default:
		return kube, etcd, fmt.Errorf("controlplane: %s=%s: must be %s or %s",
			EnvKubernetes, minor, Newest, Oldest)
	}
	etcd = fromsource.Module{
		Dir: filepath.Join(source, "testdata", "etcd"), Main: "go.etcd.io/etcd/server/v3",
		Packages: []string{"."},
	}
	return kube, etcd, nil
}

// Binaries are the paths of what a control plane is made of.
type Binaries struct {
	Kube, Etcd               string
	KubeVersion, EtcdVersion string
	Kine, KineVersion        string // empty unless it is asked for
	assets                   string // the folder that they are in, instead of Kube and Etcd
}

// Build returns the binaries of a minor, [Newest] if it is empty, and builds
// them if they are not in the cache: 10 minutes and more on two cores. How far
// it is goes to progress each half minute. Concurrent calls, also of several
// processes, build once. Where EnvAssets names a folder, they are that folder's.
func Build(ctx context.Context, minor string, progress io.Writer) (b Binaries, err error) {
	if dir := os.Getenv(EnvAssets); dir != "" {
		return assets(ctx, dir, minor)
	}
	source, err := folder(ctx)
	if err != nil {
		return b, err
	}
	kube, etcd, err := modules(source, minor)
	if err != nil {
		return b, err
	}
	if b.Etcd, b.EtcdVersion, err = build(ctx, etcd, progress); err != nil {
		return b, err
	}
	b.Kube, b.KubeVersion, err = build(ctx, kube, progress)
	return b, err
}

// build returns the one program of a module, which is named as its folder is.
func build(ctx context.Context, m fromsource.Module, progress io.Writer) (path, version string, err error) {
	if version, err = m.Version(); err != nil {
		return "", "", err
	}
	bin, err := m.Build(ctx, progress)
	return filepath.Join(bin, filepath.Base(m.Dir)), version, err
}

// folder is that of this package's source.
func folder(ctx context.Context) (string, error) {
	return fromsource.Folder(ctx, "github.com/hotseat-go/hotseat/internal/controlplane")
}
