package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/controlplane"
)

// Options of a [Cluster].
type Options struct {
	Nodes  int     // how many; 0: one
	Images []Image // that each node has from the start
	// Proxy has a kube-proxy on each node, without which a Service leads nowhere.
	Proxy bool
	// Kubelet is further lines of a KubeletConfiguration.
	Kubelet string
	// APIServer and ControllerManager are further flags.
	APIServer, ControllerManager []string
	// Progress is told how far a build is; nil: nobody.
	Progress io.Writer
}

// Cluster is a control plane and nodes. Its methods are not safe for concurrent use.
type Cluster struct {
	Nodes []*Node

	options     Options
	programs    programs
	plane       *controlplane.Cluster
	fabric      *fabric
	groups      cgroups
	cgroup      string // above those of the nodes
	dir         string
	snapshotter string
	janitor     *janitor
}

// Up builds what is missing, starts a cluster, and returns when all its nodes are ready. Close it.
// The calling program must call [IsPart] first. It is ErrCannot where the machine lacks what nodes
// need.
func Up(ctx context.Context, o Options) (c *Cluster, err error) {
	if err := Possible(); err != nil {
		return nil, err
	}
	if o.Nodes < 0 || o.Nodes > mostNodes {
		return nil, fmt.Errorf("node: Options.Nodes: %d: must be 0 to %d", o.Nodes, mostNodes)
	}
	o.Nodes = max(o.Nodes, 1)
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	c = &Cluster{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
			c = nil
		}
	}()
	if c.programs, err = build(ctx, o.Progress); err != nil {
		return c, err
	}
	if o.Proxy {
		if c.programs.nft, err = findNFT(ctx); err != nil {
			return c, err
		}
	}
	if c.groups, err = findCgroups(); err != nil {
		return c, fmt.Errorf("%w: %w", ErrCannot, err)
	}
	if err := c.settle(ctx); err != nil {
		return c, err
	}
	return c, c.start(ctx)
}

// mostNodes is how many there is memory for, rather than what the addresses allow.
const mostNodes = 9

// settle makes the cluster's folder, and the images in it, and hires its janitor.
func (c *Cluster) settle(ctx context.Context) error {
	runs := filepath.Join(c.programs.cache, "run")
	if err := os.MkdirAll(runs, 0o755); err != nil {
		return err
	}
	if _, err := sweep(ctx, runs); err != nil {
		return err
	}
	id := "hotseat-" + strings.ToLower(rand.Text()[:8])
	dir := filepath.Join(runs, id)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	j, err := hire(will{Dir: dir, Cgroup: id})
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	c.dir, c.cgroup, c.janitor = dir, id, j
	if err := os.Mkdir(filepath.Join(dir, "images"), 0o755); err != nil {
		return err
	}
	for _, i := range append([]Image{pauseImage()}, c.options.Images...) {
		if err := i.Write(ctx, filepath.Join(dir, "images", i.file())); err != nil {
			return err
		}
	}
	c.snapshotter, err = snapshotter(dir)
	return err
}

// snapshotter is overlayfs, unless the folder's file system cannot be the upper one of that.
func snapshotter(dir string) (string, error) {
	trial := filepath.Join(dir, "overlay")
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		if err := os.MkdirAll(filepath.Join(trial, name), 0o755); err != nil {
			return "", err
		}
	}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil { // the mount ends with this thread
			return err
		}
		if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		return mount("overlay", filepath.Join(trial, "merged"), "overlay", 0,
			fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", trial))
	})
	if err != nil {
		return "native", os.RemoveAll(trial)
	}
	return "overlayfs", os.RemoveAll(trial)
}

func (c *Cluster) start(ctx context.Context) (err error) {
	if c.fabric, err = newFabric(c.options.Proxy); err != nil {
		return err
	}
	o := controlplane.Options{
		Minor: controlplane.Newest, Controllers: true, Dir: c.dir, Progress: c.options.Progress,
		APIServer: c.options.APIServer, ControllerManager: c.options.ControllerManager,
		Network: &controlplane.Network{
			Enter: c.fabric.api.enter, Dial: c.fabric.api.dial,
			Address: apiAddress, Services: []string{kubernetes},
		},
	}
	for i := range c.options.Nodes {
		o.Nodes = append(o.Nodes, nameOf(i+1))
	}
	if c.plane, err = controlplane.Start(ctx, o); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	for i, name := range o.Nodes {
		n := &Node{Name: name, number: i + 1, cluster: c}
		c.Nodes = append(c.Nodes, n)
		if err := n.Boot(ctx); err != nil {
			return err
		}
	}
	for _, n := range c.Nodes {
		if err := n.Ready(ctx); err != nil {
			return err
		}
	}
	return c.accounts(ctx)
}

// accounts returns when Pods can be created: their ServiceAccount is a controller's to make.
func (c *Cluster) accounts(ctx context.Context) error {
	return c.Nodes[0].machine.run.Await(ctx, func(ctx context.Context) error {
		accounts := c.plane.Admin().CoreV1().ServiceAccounts(metav1.NamespaceDefault)
		_, err := accounts.Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// Ready returns when the API server has the node as ready, and its kube-proxy, if there is one, has
// written what it knows.
func (n *Node) Ready(ctx context.Context) error {
	err := n.machine.run.Await(ctx, func(ctx context.Context) error {
		node, err := n.cluster.plane.Admin().CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("%s is not ready", n.Name)
	})
	if err == nil && n.cluster.options.Proxy {
		err = n.machine.run.Await(ctx, n.proxied)
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, n.Logs())
	}
	return nil
}

// Close ends every process and removes every file, cgroup and mount. It may be called twice.
func (c *Cluster) Close() error {
	var err error
	for _, n := range c.Nodes {
		err = errors.Join(err, n.PowerOff())
	}
	if c.plane != nil {
		c.plane.Close()
		c.plane = nil
	}
	if c.fabric != nil {
		c.fabric.close()
		c.fabric = nil
	}
	if c.janitor != nil {
		err = errors.Join(err, c.janitor.dismiss())
		c.janitor = nil
	}
	return err
}

// Plane is the control plane, whose parts can be broken too.
func (c *Cluster) Plane() *controlplane.Cluster { return c.plane }

// Containerd is its version.
func (c *Cluster) Containerd() string { return c.programs.containerdVersion }

// Runc is its version.
func (c *Cluster) Runc() string { return c.programs.runcVersion }

// Dir is the cluster's folder, which goes with it.
func (c *Cluster) Dir() string { return c.dir }

// Listen opens a port of the test's address in the network of Pods, which no [Node.Partition] cuts
// off.
func (c *Cluster) Listen(port int) (net.Listener, error) {
	return c.fabric.lab.listen(fmt.Sprintf("%s:%d", labAddress, port))
}

// ListenUDP is the same for datagrams.
func (c *Cluster) ListenUDP(port int) (net.PacketConn, error) {
	return c.fabric.lab.listenUDP(fmt.Sprintf("%s:%d", labAddress, port))
}

// DialPod connects to an address in the network of Pods, from the test's own there.
func (c *Cluster) DialPod(ctx context.Context, network, address string) (net.Conn, error) {
	return c.fabric.lab.dial(ctx, network, address)
}

// Kubectl runs kubectl as the administrator, with a standard input, and returns what it says.
func (c *Cluster) Kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	config, err := c.plane.Kubeconfig("admin", c.plane.AdminConfig())
	if err != nil {
		return "", err
	}
	flags := []string{"kubectl", "--kubeconfig", config, "--cache-dir", filepath.Join(c.dir, "kubectl")}
	cmd := exec.CommandContext(ctx, c.programs.Kube, append(flags, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out []byte
	err = onThread(func() (err error) {
		if err := c.fabric.api.enter(); err != nil {
			return err
		}
		out, err = cmd.CombinedOutput()
		return err
	})
	if err != nil {
		return string(out), fmt.Errorf("node: kubectl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// Logs are the ends of what all parts wrote, for a failed test.
func (c *Cluster) Logs() string {
	var b strings.Builder
	if c.plane != nil {
		b.WriteString(c.plane.Logs())
	}
	for _, n := range c.Nodes {
		b.WriteString(n.Logs())
	}
	return b.String()
}
