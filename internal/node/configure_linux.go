package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/proc"
)

// configure writes the files of a node's programs. Paths in them are those in the machine.
func (n *Node) configure() error {
	for name, text := range map[string]string{
		"containerd.toml":          n.containerdConfig(),
		"kubelet.yaml":             n.kubeletConfig(),
		"net.d/10-bridge.conflist": n.podNetwork(),
	} {
		if err := os.WriteFile(n.dir("etc", name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	c := n.cluster.plane
	err := n.login("kubeconfig", n.Name, c.NodeConfig(n.Name))
	if err == nil && n.cluster.options.Proxy {
		err = n.configureProxy()
	}
	return err
}

// login writes the kubeconfig file of one of the node's programs.
func (n *Node) login(file, name string, config *rest.Config) error {
	path, err := n.cluster.plane.Kubeconfig(name, config)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(n.dir("etc", file), text, 0o600)
}

func (n *Node) containerdConfig() string {
	return fmt.Sprintf(`version = 3
root = "%[1]s/disk"
state = "/run/containerd"
disabled_plugins = ["io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.opt"]

[plugins.'io.containerd.cri.v1.images']
  snapshotter = %[2]q

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = %[3]q

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true # to lower it takes a right that a container may lack

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["%[1]s/containerd"]
  conf_dir = "%[1]s/etc/net.d"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  BinaryName = %[4]q
  SystemdCgroup = false
`, ownRoot, n.cluster.snapshotter, pauseImage().Name, n.cluster.programs.runc)
}

func (n *Node) kubeletConfig() string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /%s
failCgroupV1: false
failSwapOn: false
protectKernelDefaults: true # they are copies, with the values that it demands
clusterDNS: [10.96.0.10] # nobody is there
resolvConf: ""
volumePluginDir: /var/lib/kubelet/plugins-exec
evictionHard: {memory.available: 50Mi}
imageMinimumGCAge: 24h
%s`, n.cgroup(), n.cluster.options.Kubelet)
}

func (n *Node) podNetwork() string {
	return fmt.Sprintf(`{"cniVersion": "1.0.0", "name": "pods", "plugins": [{
 "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
 "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": %q}]],
  "routes": [{"dst": "0.0.0.0/0"}]}}]}
`, podsOf(n.number))
}

// Logs are the ends of what its programs wrote.
func (n *Node) Logs() string {
	var b strings.Builder
	logs := []string{n.dir("machine.log"), n.dir("log", "containerd.log"), n.dir("log", "kubelet.log")}
	if n.cluster.options.Proxy {
		logs = append(logs, n.dir("log", "kube-proxy.log"))
	}
	for _, path := range logs {
		fmt.Fprintf(&b, "--- %s %s\n%s\n", n.Name, filepath.Base(path), proc.Tail(path))
	}
	return b.String()
}
