package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Node is a kubelet, containerd and the Pods that they run. Its methods are not safe for concurrent
// use.
type Node struct {
	Name string

	cluster *Cluster
	number  int
	machine *machine // nil: without power
}

// Names of a node's programs, for [Node.Kill], [Node.Stop] and [Node.Continue].
const (
	Kubelet    = "kubelet"
	Containerd = "containerd"
	KubeProxy  = "kube-proxy" // with [Options].Proxy
)

func (n *Node) dir(parts ...string) string {
	return filepath.Join(append([]string{n.cluster.dir, n.Name}, parts...)...)
}

func (n *Node) cgroup() string { return n.cluster.cgroup + "/" + n.Name }

// Boot gives a node power: the same disk, and everything else anew.
func (n *Node) Boot(ctx context.Context) error {
	if n.machine != nil {
		return fmt.Errorf("node: %s: it has power", n.Name)
	}
	for _, dir := range []string{"etc/net.d", "disk/kubelet", "disk/containerd", "log/pods"} {
		if err := os.MkdirAll(n.dir(dir), 0o755); err != nil {
			return err
		}
	}
	if err := n.configure(); err != nil {
		return err
	}
	for _, name := range []string{n.cgroup(), n.cgroup() + "/machine"} {
		if err := n.cluster.groups.create(name); err != nil {
			return err
		}
	}
	m, err := startMachine(n.Name, n.dir())
	if err != nil {
		return err
	}
	n.machine = m
	if err := n.start(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, n.Logs())
	}
	return nil
}

func (n *Node) start(ctx context.Context) error {
	c := n.cluster
	if err := c.groups.add(n.cgroup()+"/machine", n.machine.run.PID()); err != nil {
		return err
	}
	disk := Disk{Hostname: n.Name, Binds: map[string]string{
		ownRoot + "/kube":       filepath.Dir(c.programs.Kube),
		ownRoot + "/containerd": c.programs.containerd,
		ownRoot + "/images":     filepath.Join(c.dir, "images"),
		ownRoot + "/etc":        n.dir("etc"),
		ownRoot + "/disk":       n.dir("disk/containerd"),
		ownRoot + "/log":        n.dir("log"),
		"/var/lib/kubelet":      n.dir("disk/kubelet"),
		"/var/log/pods":         n.dir("log/pods"),
	}}
	if err := n.machine.call(ctx, "Boot", disk, &struct{}{}); err != nil {
		return err
	}
	if err := c.fabric.plugIn(n.number, n.machine.run.PID()); err != nil {
		return err
	}
	if err := n.Start(ctx, Containerd); err != nil {
		return err
	}
	if err := n.images(ctx); err != nil {
		return err
	}
	if err := n.Start(ctx, Kubelet); err != nil || !c.options.Proxy {
		return err
	}
	return n.Start(ctx, KubeProxy)
}

// images waits until containerd answers, and gives it the images of the cluster.
func (n *Node) images(ctx context.Context) error {
	ready := func(ctx context.Context) error {
		_, err := n.machine.output(ctx, ctr, "version")
		return err
	}
	if err := n.machine.run.Await(ctx, ready); err != nil {
		return err
	}
	images, err := filepath.Glob(filepath.Join(n.cluster.dir, "images", "*.tar"))
	if err != nil {
		return err
	}
	for _, path := range images {
		path = filepath.Join(ownRoot, "images", filepath.Base(path))
		args := []string{ctr, "-n", "k8s.io", "images", "import", "--local", path}
		if _, err := n.machine.output(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

const ctr = ownRoot + "/containerd/ctr"

// Start starts one of the node's programs.
func (n *Node) Start(ctx context.Context, program string) error {
	path := "PATH=" + ownRoot + "/containerd:" + os.Getenv("PATH")
	switch program {
	case Containerd:
		return n.machine.start(ctx, Program{
			Name: program, Log: ownRoot + "/log/containerd.log", Env: []string{path},
			Args: []string{ownRoot + "/containerd/containerd", "--config", ownRoot + "/etc/containerd.toml"},
		})
	case Kubelet:
		return n.machine.start(ctx, Program{
			Name: program, Log: ownRoot + "/log/kubelet.log", Env: []string{path},
			Args: []string{
				ownRoot + "/kube/kube", "kubelet", "--config", ownRoot + "/etc/kubelet.yaml",
				"--kubeconfig", ownRoot + "/etc/kubeconfig", "--hostname-override", n.Name,
				"--node-ip", apiOf(n.number),
			},
		})
	case KubeProxy:
		return n.startProxy(ctx)
	default:
		return fmt.Errorf("node: no program %q: must be %s, %s or %s",
			program, Kubelet, Containerd, KubeProxy)
	}
}

// Kill ends one of the node's programs at once. What it started runs on.
func (n *Node) Kill(ctx context.Context, program string) error {
	return n.machine.signal(ctx, program, syscall.SIGKILL)
}

// LoseContainers takes from containerd all that it knows, as when its database is lost: containers and
// Pods run on, unknown to everybody, and the kubelet starts others beside them. A power loss ends them.
func (n *Node) LoseContainers(ctx context.Context) error {
	if err := n.Kill(ctx, Containerd); err != nil {
		return err
	}
	known := n.dir("disk", "containerd", "io.containerd.metadata.v1.bolt")
	if err := os.RemoveAll(known); err != nil {
		return err
	}
	if err := n.Start(ctx, Containerd); err != nil {
		return err
	}
	return n.images(ctx)
}

// Stop stops one of the node's programs until [Node.Continue].
func (n *Node) Stop(ctx context.Context, program string) error {
	return n.machine.signal(ctx, program, syscall.SIGSTOP)
}

// Continue lets it go on.
func (n *Node) Continue(ctx context.Context, program string) error {
	return n.machine.signal(ctx, program, syscall.SIGCONT)
}

// PowerOff ends everything in the node at once, until [Node.Boot]. What is on its disk stays.
func (n *Node) PowerOff() error {
	if n.machine == nil {
		return nil
	}
	if n.cluster.groups.isFrozen(n.cgroup()) { // or nothing would die
		if err := n.Thaw(); err != nil {
			return err
		}
	}
	n.machine.kill()
	n.machine = nil
	n.cluster.fabric.api.unplug(n.number)
	n.cluster.fabric.lab.unplug(n.number)
	return n.cluster.groups.remove(n.cgroup())
}

// Freeze stops everything in the node, as when a virtual machine is paused, until [Node.Thaw].
func (n *Node) Freeze() error { return n.cluster.groups.freeze(n.cgroup(), true) }

// Thaw lets it go on.
func (n *Node) Thaw() error { return n.cluster.groups.freeze(n.cgroup(), false) }

// Partition has all packets between the API server and the node, with its Pods, be lost until
// [Node.Heal].
func (n *Node) Partition() error { return n.cluster.fabric.api.cut(n.number, true) }

// Heal is the end of Partition.
func (n *Node) Heal() error { return n.cluster.fabric.api.cut(n.number, false) }

// Run runs a command in the node, and returns what it says.
func (n *Node) Run(ctx context.Context, args ...string) (string, error) {
	return n.machine.output(ctx, args...)
}

// Processes are the process ids, as this process sees them, of a container: its ID without the
// runtime's name.
func (n *Node) Processes(container string) []int {
	return n.cluster.groups.processes(n.cgroup(), container)
}

// bootTime bounds a boot on a slow and busy machine.
const bootTime = 3 * time.Minute
