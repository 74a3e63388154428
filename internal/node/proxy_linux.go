package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/vishvananda/netns"

	"github.com/hotseat-go/hotseat/internal/services"
)

// findNFT installs the program that kube-proxy writes the kernel's rules with, and tries it.
func findNFT(ctx context.Context) (string, error) {
	nft, err := services.Program(ctx, "nft", "nftables")
	if errors.Is(err, services.ErrMissing) {
		err = fmt.Errorf("%w: %w", ErrCannot, err)
	}
	if err != nil {
		return "", err
	}
	trial, err := newSpace()
	if err != nil {
		return "", err
	}
	defer trial.close()
	err = trial.within(func() error {
		const chain = "add chain ip hotseat nat { type nat hook prerouting priority -100; }"
		out, err := exec.CommandContext(ctx, nft, "add table ip hotseat; "+chain).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: the kernel's nf_tables: %s: %w: %s", ErrCannot, nft, err, out)
		}
		return nil
	})
	return nft, err
}

// configureProxy writes the files of kube-proxy. What it would set for the whole machine it is to
// leave; the rest is as it ships, also how often it writes rules.
func (n *Node) configureProxy() error {
	config := fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: %[1]s
clusterCIDR: %[2]s
clientConnection: {kubeconfig: %[3]s/etc/proxy.kubeconfig}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
oomScoreAdj: 0 # to lower it takes a right that a container may lack
`, n.Name, podIPs, ownRoot)
	if err := os.WriteFile(n.dir("etc", "proxy.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	return n.login("proxy.kubeconfig", n.Name+"-proxy", n.cluster.plane.ProxyConfig())
}

func (n *Node) startProxy(ctx context.Context) error {
	if !n.cluster.options.Proxy {
		return errors.New("node: there is no kube-proxy without Options.Proxy")
	}
	path := "PATH=" + filepath.Dir(n.cluster.programs.nft) + ":" + os.Getenv("PATH")
	return n.machine.start(ctx, Program{
		Name: KubeProxy, Log: ownRoot + "/log/kube-proxy.log", Env: []string{path},
		Args: []string{ownRoot + "/kube/kube", "kube-proxy", "--config", ownRoot + "/etc/proxy.yaml"},
	})
}

// proxied is nil when the node's kube-proxy has written what it knows.
func (n *Node) proxied(ctx context.Context) error {
	inside, err := n.Inside()
	if err != nil {
		return err
	}
	defer inside.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DialContext: inside.Dial, DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:10256/healthz", http.NoBody)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("node: %s: kube-proxy: %s", n.Name, response.Status)
	}
	return nil
}

// Inside is a node's network, from which a test connects as the node's own programs do: by its
// kube-proxy, and whatever is frozen. Dial may be called at any time. Close it.
type Inside struct{ at space }

// Inside opens it. It takes power, and does not outlast it.
func (n *Node) Inside() (*Inside, error) {
	if n.machine == nil {
		return nil, fmt.Errorf("node: %s: it has no power", n.Name)
	}
	ns, err := netns.GetFromPid(n.machine.run.PID())
	if err != nil {
		return nil, fmt.Errorf("node: %s: %w", n.Name, err)
	}
	return &Inside{space{ns: ns}}, nil
}

// Dial connects.
func (i *Inside) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return i.at.dial(ctx, network, address)
}

// Close ends no connections.
func (i *Inside) Close() { _ = i.at.ns.Close() }
