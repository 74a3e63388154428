//go:build unix

package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// EnvAssets names a folder of binaries to use instead of building any, as
// controller-runtime's setup-envtest makes it.
const EnvAssets = "KUBEBUILDER_ASSETS"

// ErrMissing: the folder that EnvAssets names lacks a binary. Such a folder has
// kube-apiserver and etcd as a rule, and no more.
var ErrMissing = errors.New("not in the folder of binaries")

// assets are the binaries in dir. Of a minor, if one is asked for.
func assets(ctx context.Context, dir, minor string) (b Binaries, err error) {
	if !filepath.IsAbs(dir) {
		return b, fmt.Errorf("controlplane: %s=%s: must be an absolute path", EnvAssets, dir)
	}
	b.assets = dir
	if err := b.lacks("kube-apiserver", "etcd"); err != nil {
		return b, err
	}
	if b.KubeVersion, err = saysVersion(ctx, b.command("kube-apiserver"), "Kubernetes "); err != nil {
		return b, err
	}
	if b.EtcdVersion, err = saysVersion(ctx, b.command("etcd"), "etcd Version: "); err != nil {
		return b, err
	}
	b.EtcdVersion = "v" + b.EtcdVersion
	if minor != "" && !strings.HasPrefix(b.KubeVersion, "v"+minor+".") {
		return b, fmt.Errorf("controlplane: %s=%s has Kubernetes %s, %s asks for %s",
			EnvAssets, dir, b.KubeVersion, EnvKubernetes, minor)
	}
	return b, nil
}

// saysVersion is what follows the prefix in what a binary says of itself.
func saysVersion(ctx context.Context, command []string, prefix string) (string, error) {
	out, err := exec.CommandContext(ctx, command[0], "--version").Output()
	if err != nil {
		return "", fmt.Errorf("controlplane: %s --version: %w", command[0], err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	version, is := strings.CutPrefix(strings.TrimSpace(line), prefix)
	if !is {
		return "", fmt.Errorf("controlplane: %s --version: %q does not begin with %q",
			command[0], line, prefix)
	}
	return version, nil
}

// command is what runs a part or a tool.
func (b Binaries) command(name string) []string {
	switch {
	case b.assets != "":
		return []string{filepath.Join(b.assets, name)}
	case strings.HasPrefix(name, "etcd"):
		return []string{b.Etcd, name}
	default:
		return []string{b.Kube, name}
	}
}

// lacks is an ErrMissing that names those which are not there.
func (b Binaries) lacks(names ...string) error {
	if b.assets == "" {
		return nil // built ones have all in one
	}
	var missing []string
	for _, name := range names {
		info, err := os.Stat(filepath.Join(b.assets, name))
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("controlplane: %s=%s: %s: %w; unset it, and what is needed is built",
		EnvAssets, b.assets, strings.Join(missing, " and "), ErrMissing)
}
