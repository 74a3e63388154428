//go:build unix

package controlplane

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Kubectl runs kubectl as the administrator, with a standard input, and returns what it says. It is
// an ErrMissing for a cluster of [Existing], for the oldest minor as it is built, and where the folder
// of binaries has no kubectl.
func (c *Cluster) Kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	if !c.Ours() {
		return "", fmt.Errorf("controlplane: kubectl of a cluster that is not ours: %w", ErrMissing)
	}
	if strings.HasPrefix(c.Version, "v"+Oldest+".") && c.binaries.assets == "" {
		return "", fmt.Errorf("controlplane: %s is built without kubectl: %w", Oldest, ErrMissing)
	}
	if err := c.binaries.lacks("kubectl"); err != nil {
		return "", err
	}
	config, err := c.Kubeconfig("admin", c.AdminConfig())
	if err != nil {
		return "", err
	}
	command := append(c.binaries.command("kubectl"),
		"--kubeconfig", config, "--cache-dir", filepath.Join(c.dir, "kubectl"))
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("controlplane: kubectl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}
