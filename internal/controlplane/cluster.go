//go:build unix

package controlplane

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Options of a [Cluster]. The zero value is an API server and etcd of the newest
// minor.
type Options struct {
	// Minor is the Kubernetes version: Newest, Oldest, or empty for what
	// EnvKubernetes says, else Newest.
	Minor string
	// Layout is what there is of each part.
	Layout Layout
	// Controllers adds the controller manager and the scheduler.
	Controllers bool
	// Audit has every request logged; see [Cluster.Requests].
	Audit bool
	// APIServer and ControllerManager are further flags.
	APIServer, ControllerManager []string
	// Network is where it runs; nil: on loopback.
	Network *Network
	// Nodes are the names of kubelets that may log in, as [Cluster.NodeConfig] says.
	Nodes []string
	// Dir is where its folder is made; empty: where temporary ones are.
	Dir string
	// Progress is told how far a build is; nil: nobody.
	Progress io.Writer
}

// Network is a network namespace for a control plane that nodes in others reach.
type Network struct {
	// Enter puts the calling thread into it.
	Enter func() error
	// Dial connects to an address in it, from outside.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Address of the API server, whose port is 443.
	Address string
	// Services are other addresses that lead to the API server, as that of the Service kubernetes.
	Services []string
}

// readyWithin bounds the start of a part, on a slow and busy machine.
const readyWithin = 90 * time.Second

// Cluster is a control plane of its own, on loopback. Methods that break or
// restart parts are not safe for concurrent use.
type Cluster struct {
	Version string // of Kubernetes
	// StoreVersion is what it keeps its objects in, "etcd v3.7.3" or "kine v0.17.5 (sqlite)". Empty of
	// one that is not ours.
	StoreVersion string

	API     *Process // the first API server
	Etcd    *Process // the first member of etcd, or kine
	Servers []*Process
	Members []*Process

	options  Options
	binaries Binaries
	dir      string
	pki      *pki
	ports    ports
	network  *network // of several members of etcd
	others   []*Process
	config   *rest.Config // of a client that may do everything
	admin    *kubernetes.Clientset
}

// Existing is the cluster of a kubeconfig file, or of a list of them as in
// $KUBECONFIG, whose user may do everything. API and Etcd are nil: it is not ours to
// break.
func Existing(kubeconfig string) (*Cluster, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{Precedence: filepath.SplitList(kubeconfig)}, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("controlplane: %w", err)
	}
	if err := rest.LoadTLSFiles(config); err != nil { // replicas are told the data
		return nil, fmt.Errorf("controlplane: %w", err)
	}
	config.QPS = -1
	c := &Cluster{config: config}
	if c.admin, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	version, err := c.admin.Discovery().ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("controlplane: %s: %w", kubeconfig, err)
	}
	c.Version = version.GitVersion
	c.dir, err = os.MkdirTemp("", "controlplane-")
	return c, err
}

// Ours reports whether the parts can be broken.
func (c *Cluster) Ours() bool { return c.API != nil }

// Start builds what is missing, starts a control plane and returns when it is
// ready. Close it.
func Start(ctx context.Context, o Options) (c *Cluster, err error) {
	if o.Minor == "" {
		o.Minor = os.Getenv(EnvKubernetes)
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	binaries, err := Build(ctx, o.Minor, o.Progress)
	if err != nil {
		return nil, err
	}
	if o.Layout.Kine != "" {
		if err := binaries.addKine(ctx, o.Progress); err != nil {
			return nil, err
		}
	}
	if o.Controllers {
		if err := binaries.lacks("kube-controller-manager", "kube-scheduler"); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp(o.Dir, "controlplane-")
	if err != nil {
		return nil, err
	}
	c = &Cluster{Version: binaries.KubeVersion, options: o, binaries: binaries, dir: dir}
	c.StoreVersion = c.storeVersion()
	defer func() {
		if err != nil {
			c.Close()
			c = nil
		}
	}()
	if c.ports, err = newPorts(o.Layout); err != nil {
		return c, err
	}
	if c.pki, err = newPKI(dir, o); err != nil {
		return c, err
	}
	c.config = &rest.Config{
		Host: "https://" + c.ServerAddress(0), BearerToken: adminToken, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.pki.ca},
	}
	if o.Network != nil {
		c.ports.api[0] = "443"
		c.config.Host, c.config.Dial = "https://"+o.Network.Address, o.Network.Dial
	}
	if c.admin, err = kubernetes.NewForConfig(c.config); err != nil {
		return c, err
	}
	if err := c.layOut(); err != nil {
		return c, err
	}
	parts := len(c.Members) + len(c.Servers)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(parts)*readyWithin)
	defer cancel()
	if err := c.startStore(ctx); err != nil {
		return c, err
	}
	for i := range c.Servers {
		if err := c.StartServer(ctx, i); err != nil {
			return c, err
		}
	}
	if o.Controllers {
		kubeconfig, err := c.Kubeconfig("admin", c.AdminConfig())
		if err != nil {
			return c, err
		}
		c.others = []*Process{c.controllerManager(kubeconfig), c.scheduler(kubeconfig)}
		for _, p := range c.others {
			if err := p.start(); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

// Close ends every process and removes their files. It may be called twice.
func (c *Cluster) Close() {
	for _, p := range slices.Concat(c.others, c.Servers, c.Members) {
		p.Kill() // their data goes too
	}
	if c.network != nil {
		c.network.close()
	}
	_ = os.RemoveAll(c.dir)
}

// Admin is a client that may do everything.
func (c *Cluster) Admin() kubernetes.Interface { return c.admin }

// AdminConfig is the configuration of such a client, without a rate limit.
func (c *Cluster) AdminConfig() *rest.Config { return rest.CopyConfig(c.config) }

// Address of the API server, for a proxy before it: host:port.
func (c *Cluster) Address() string {
	u, _, err := rest.DefaultServerUrlFor(c.config)
	if err != nil {
		return c.config.Host // no client could be made of it
	}
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}

// StartEtcd starts etcd after a kill.
func (c *Cluster) StartEtcd(ctx context.Context) error { return c.StartMember(ctx, 0) }

// StartAPI starts the API server after a kill.
func (c *Cluster) StartAPI(ctx context.Context) error { return c.StartServer(ctx, 0) }

// Snapshot is a backup of etcd.
type Snapshot struct{ path string }

// Snapshot takes a backup. It is ErrMissing where a folder of binaries has not
// what takes and restores one.
func (c *Cluster) Snapshot(ctx context.Context) (Snapshot, error) {
	if err := c.binaries.lacks("etcdctl", "etcdutl"); err != nil {
		return Snapshot{}, err
	}
	s := Snapshot{filepath.Join(c.dir, fmt.Sprintf("snapshot-%d.db", time.Now().UnixNano()))}
	_, err := c.tool(ctx, "etcdctl", "--endpoints", c.etcdURL(0), "snapshot", "save", s.path)
	return s, err
}

// Restore kills the API server and etcd, restores the backup, with the revision
// bumped by that much if it is not 0, and starts both, as a disaster recovery
// does.
func (c *Cluster) Restore(ctx context.Context, s Snapshot, bump uint64) error {
	c.API.Kill()
	if err := c.restoreEtcd(ctx, s, bump); err != nil {
		return err
	}
	return c.StartAPI(ctx)
}

// RestoreUnderAPI does so, without a bump, under an API server that goes on
// running: its cache is ahead of etcd from then on. Its client of etcd comes
// back within seconds.
func (c *Cluster) RestoreUnderAPI(ctx context.Context, s Snapshot) error {
	return c.restoreEtcd(ctx, s, 0)
}

func (c *Cluster) restoreEtcd(ctx context.Context, s Snapshot, bump uint64) error {
	c.Etcd.Kill()
	data := fmt.Sprintf("data-%d", time.Now().UnixNano())
	args := []string{"etcdutl", "snapshot", "restore", s.path, "--data-dir", filepath.Join(c.dir, data)}
	args = append(args, c.membership(0)...)
	if bump > 0 {
		args = append(args, "--bump-revision", fmt.Sprint(bump), "--mark-compacted")
	}
	if _, err := c.tool(ctx, args...); err != nil {
		return err
	}
	c.Etcd = c.etcd(0, data)
	c.Members[0] = c.Etcd
	return c.StartEtcd(ctx)
}
