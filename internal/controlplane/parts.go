//go:build unix

package controlplane

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hotseat-go/hotseat/internal/proc"
)

// The parts' flags. What is not set is as it ships.

func (c *Cluster) part(name string, args ...string) *Process {
	return &Process{
		name: name, log: filepath.Join(c.dir, name+".log"), args: args, in: c.options.Network,
	}
}

// layOut makes the parts that a layout has several of.
func (c *Cluster) layOut() (err error) {
	members, servers := c.options.Layout.counts()
	kine := c.options.Layout.Kine != ""
	if members > 1 && !kine {
		if c.network, err = newNetwork(c.ports.peer); err != nil {
			return err
		}
	}
	for i := range members {
		if kine {
			c.Members = append(c.Members, c.kine(i))
			continue
		}
		c.Members = append(c.Members, c.etcd(i, named("data", i)))
	}
	for i := range servers {
		server, err := c.apiServer(i)
		if err != nil {
			return err
		}
		c.Servers = append(c.Servers, server)
	}
	c.Etcd, c.API = c.Members[0], c.Servers[0]
	return nil
}

// named is the name of one of several, of which the first has the name alone.
func named(name string, i int) string {
	if i == 0 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, i+1)
}

func (c *Cluster) etcdURL(member int) string { return "http://127.0.0.1:" + c.ports.client[member] }

func (c *Cluster) membership(member int) []string {
	var all []string
	for i := range c.ports.peer {
		all = append(all, named("etcd", i)+"="+c.peer(i))
	}
	return []string{
		"--name", named("etcd", member), "--initial-advertise-peer-urls", c.peer(member),
		"--initial-cluster", strings.Join(all, ","),
	}
}

// peer is where the others reach a member.
func (c *Cluster) peer(member int) string {
	if c.network == nil {
		return "http://127.0.0.1:" + c.ports.peer[member]
	}
	return peerURL(member)
}

func (c *Cluster) etcd(member int, data string) *Process {
	var args []string
	if c.network != nil {
		args = c.network.env(member)
	}
	args = append(append(args, c.binaries.command("etcd")...), c.membership(member)...)
	return c.part(named("etcd", member), append(args,
		"--data-dir", filepath.Join(c.dir, data),
		"--listen-client-urls", c.etcdURL(member), "--advertise-client-urls", c.etcdURL(member),
		"--listen-peer-urls", "http://127.0.0.1:"+c.ports.peer[member],
		"--log-level", "warn",
	)...)
}

// stores are the URLs of what an API server asks.
func (c *Cluster) stores(server int) (string, error) {
	var urls []string
	for member := range c.Members {
		if len(c.Servers) > 1 && len(c.Members) > 1 && member != server {
			continue
		}
		address := "127.0.0.1:" + c.ports.client[member]
		if via := c.options.Layout.Via; via != nil {
			var err error
			if address, err = via(server, address); err != nil {
				return "", err
			}
		}
		urls = append(urls, "http://"+address)
	}
	return strings.Join(urls, ","), nil
}

func (c *Cluster) apiServer(server int) (*Process, error) {
	stores, err := c.stores(server)
	if err != nil {
		return nil, err
	}
	args := append(c.binaries.command("kube-apiserver"),
		"--etcd-servers", stores,
		"--secure-port", c.ports.api[server],
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
	return c.part(named("kube-apiserver", server), append(args, c.options.APIServer...)...), nil
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
	for _, p := range slices.Concat(c.Members, c.Servers, c.others) {
		if _, err := os.Stat(p.log); err == nil {
			fmt.Fprintf(&b, "--- %s\n%s\n", p.name, proc.Tail(p.log))
		}
	}
	return b.String()
}
