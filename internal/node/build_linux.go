package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hotseat-go/hotseat/internal/controlplane"
	"github.com/hotseat-go/hotseat/internal/fromsource"
	"github.com/hotseat-go/hotseat/internal/services"
)

// ErrCannot: this machine cannot run nodes. The error says what is missing.
var ErrCannot = errors.New("node: this machine cannot run nodes")

const modulePath = "github.com/hotseat-go/hotseat/internal/node"

// programs are what a cluster runs.
type programs struct {
	controlplane.Binaries
	containerd        string // a folder, with its shim, ctr and the plugins of CNI
	containerdVersion string
	runc, runcVersion string
	nft               string // of kube-proxy; empty: there is none
	source            string // the folder of this package
	cache             string // of this checkout
}

// Possible is ErrCannot unless this process may do here what nodes need: root, cgroups, namespaces.
func Possible() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: it takes root", ErrCannot)
	}
	if _, err := findCgroups(); err != nil {
		return fmt.Errorf("%w: %w", ErrCannot, err)
	}
	s, err := newSpace()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCannot, err)
	}
	s.close()
	return nil
}

// build builds what is missing, and installs runc.
func build(ctx context.Context, progress io.Writer) (p programs, err error) {
	if os.Getenv(controlplane.EnvAssets) != "" {
		return p, fmt.Errorf("%w: %s is set, and such a folder has no kubelet",
			ErrCannot, controlplane.EnvAssets)
	}
	if p.Binaries, err = controlplane.Build(ctx, controlplane.Newest, progress); err != nil {
		return p, err
	}
	if p.source, err = fromsource.Folder(ctx, modulePath); err != nil {
		return p, err
	}
	root, err := fromsource.Folder(ctx, "github.com/hotseat-go/hotseat", "-m")
	if err != nil {
		return p, err
	}
	p.cache = filepath.Join(root, ".cache", "node")
	m := fromsource.Module{
		Dir: filepath.Join(p.source, "testdata", "containerd"), Packages: []string{"tool"},
		Main: "github.com/containerd/containerd/v2",
	}
	if p.containerd, err = m.Build(ctx, progress); err != nil {
		return p, err
	}
	if p.containerdVersion, err = m.Version(); err != nil {
		return p, err
	}
	p.runc, err = services.Program(ctx, "runc", "runc")
	if errors.Is(err, services.ErrMissing) {
		err = fmt.Errorf("%w: %w", ErrCannot, err)
	}
	if err != nil {
		return p, err
	}
	out, err := exec.CommandContext(ctx, p.runc, "--version").Output()
	if err != nil {
		return p, fmt.Errorf("node: %s: %w", p.runc, err)
	}
	_, rest, _ := strings.Cut(string(out), "runc version ")
	p.runcVersion, _, _ = strings.Cut(rest, "\n")
	return p, nil
}
