//go:build unix

package controlplane

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hotseat-go/hotseat/internal/proc"
)

// The parts' flags. What is not set is as it ships.

func (c *Cluster) part(name string, args ...string) *Process {
	return &Process{
		name: name, log: filepath.Join(c.dir, name+".log"), args: args, in: c.options.Network,
	}
}

func (c *Cluster) etcdURL() string { return "http://127.0.0.1:" + c.clientPort }

func (c *Cluster) membership() []string {
	peer := "http://127.0.0.1:" + c.peerPort
	return []string{"--name", "etcd", "--initial-advertise-peer-urls", peer, "--initial-cluster", "etcd=" + peer}
}

func (c *Cluster) etcd(data string) *Process {
	args := append(c.binaries.command("etcd"), c.membership()...)
	return c.part("etcd", append(args,
		"--data-dir", filepath.Join(c.dir, data),
		"--listen-client-urls", c.etcdURL(), "--advertise-client-urls", c.etcdURL(),
		"--listen-peer-urls", "http://127.0.0.1:"+c.peerPort,
		"--log-level", "warn",
	)...)
}

func (c *Cluster) apiServer() *Process {
	args := append(c.binaries.command("kube-apiserver"),
		"--etcd-servers", c.etcdURL(),
		"--secure-port", c.apiPort,
		"--service-cluster-ip-range", "10.96.0.0/16",
		"--authorization-mode", "RBAC",
		"--token-auth-file", c.pki.tokens,
		"--tls-cert-file", c.pki.cert, "--tls-private-key-file", c.pki.key,
		"--service-account-issuer", "https://kubernetes.default.svc",
		"--service-account-key-file", c.pki.key, "--service-account-signing-key-file", c.pki.key,
	)
	if n := c.options.Network; n != nil {
		args = append(args, "--bind-address", "0.0.0.0", "--advertise-address", n.Address,
			"--kubelet-preferred-address-types", "InternalIP")
	} else {
		args = append(args, "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1",
			"--endpoint-reconciler-type", "none") // it refuses loopback addresses
	}
	if len(c.options.Nodes) > 0 {
		args = append(args, "--authorization-mode", "Node",
			"--enable-admission-plugins", "NodeRestriction")
	}
	if c.options.Audit {
		args = append(args, "--audit-policy-file", c.pki.audit, "--audit-log-path", c.auditLog(), "--audit-log-mode", "blocking-strict")
	}
	return c.part("kube-apiserver", append(args, c.options.APIServer...)...)
}

func (c *Cluster) controllerManager(kubeconfig string) *Process {
	return c.part("kube-controller-manager", append(append(c.binaries.command("kube-controller-manager"),
		"--kubeconfig", kubeconfig, "--bind-address", "127.0.0.1", "--secure-port", "0",
		"--leader-elect=false", "--use-service-account-credentials",
		"--service-account-private-key-file", c.pki.key, "--root-ca-file", c.pki.caFile),
		c.options.ControllerManager...)...)
}

func (c *Cluster) scheduler(kubeconfig string) *Process {
	return c.part("kube-scheduler", append(c.binaries.command("kube-scheduler"),
		"--kubeconfig", kubeconfig, "--bind-address", "127.0.0.1", "--secure-port", "0", "--leader-elect=false")...)
}

// tool runs etcdctl or etcdutl. It is ErrMissing where a folder of binaries lacks it.
func (c *Cluster) tool(ctx context.Context, args ...string) (string, error) {
	if err := c.binaries.lacks(args[0]); err != nil {
		return "", err
	}
	command := append(c.binaries.command(args[0]), args[1:]...)
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("controlplane: %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

func (c *Cluster) auditLog() string { return filepath.Join(c.dir, "audit.log") }

// Logs returns the end of each part's log, for a failed test.
func (c *Cluster) Logs() string {
	var b strings.Builder
	for _, p := range append([]*Process{c.Etcd, c.API}, c.others...) {
		if p == nil { // not ours
			continue
		}
		if _, err := os.Stat(p.log); err == nil {
			fmt.Fprintf(&b, "--- %s\n%s\n", p.name, proc.Tail(p.log))
		}
	}
	return b.String()
}
