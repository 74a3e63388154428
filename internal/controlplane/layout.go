//go:build unix

package controlplane

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/proc"
)

// Layout is how a control plane is laid out. The zero value is one API server on one etcd.
type Layout struct {
	// Members is how many etcd has; 0: one.
	Members int
	// Servers is how many API servers there are; 0: one. One asks all members. Of several each asks
	// the member with its own number, as on the nodes that kubeadm sets up, or the only one.
	Servers int
	// Kine is the database that kine keeps everything in, in etcd's place, as kine's flag endpoint has
	// it: "sqlite://" for a file in the cluster's folder. Members are then kines on this database.
	// Empty: etcd.
	Kine string
	// Via returns the address at which an API server reaches one of etcd's, for a proxy between the
	// two; nil: etcd's own.
	Via func(server int, address string) (string, error)
}

// counts are those of a layout with what is left out filled in.
func (l Layout) counts() (members, servers int) { return max(1, l.Members), max(1, l.Servers) }

// ports are where the parts listen, on loopback.
type ports struct{ api, client, peer []string }

func newPorts(l Layout) (p ports, err error) {
	members, servers := l.counts()
	free, err := proc.FreePorts(servers + 2*members)
	if err != nil {
		return p, err
	}
	return ports{api: free[:servers], client: free[servers : servers+members], peer: free[servers+members:]}, nil
}

// startStore starts all members of etcd at once, but kines in turn: two fail that make their tables
// at the same time.
func (c *Cluster) startStore(ctx context.Context) error {
	for i, m := range c.Members {
		if c.options.Layout.Kine != "" {
			if err := c.StartMember(ctx, i); err != nil {
				return err
			}
			continue
		}
		if err := m.start(); err != nil {
			return err
		}
	}
	for i := range c.Members {
		if err := c.AwaitMember(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// StartMember starts a member of etcd, or a kine, after a kill.
func (c *Cluster) StartMember(ctx context.Context, member int) error {
	if err := c.Members[member].start(); err != nil {
		return err
	}
	return c.AwaitMember(ctx, member)
}

// AwaitMember returns when a member of etcd knows a leader, or a kine has its database.
func (c *Cluster) AwaitMember(ctx context.Context, member int) error {
	m := c.Members[member]
	return m.await(ctx, func(ctx context.Context) error {
		if c.options.Layout.Kine != "" {
			return accepts(ctx, "127.0.0.1:"+c.ports.client[member])
		}
		return m.healthy(ctx, c.etcdURL(member)+"/health")
	})
}

// ErrNoLeader: no member of etcd says that it leads.
var ErrNoLeader = errors.New("controlplane: etcd has no leader")

// Leader is the member that leads etcd, as that says itself. It waits until there is one.
func (c *Cluster) Leader(ctx context.Context) (member int, err error) {
	for {
		for i, m := range c.Members {
			if m.PID() != 0 && leads(ctx, c.etcdURL(i)) {
				return i, nil
			}
		}
		select {
		case <-ctx.Done():
			return 0, errors.Join(ErrNoLeader, context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func leads(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if value, is := strings.CutPrefix(lines.Text(), "etcd_server_is_leader "); is {
			return value == "1"
		}
	}
	return false
}

// Cut takes a member of etcd away from the other members, but not from its clients, until Mend.
func (c *Cluster) Cut(member int) { c.network.cut(member) }

// Mend is the end of Cut.
func (c *Cluster) Mend(member int) { c.network.mend(member) }

// ServerAddress is that of an API server, for a balancer before them: host:port.
func (c *Cluster) ServerAddress(server int) string { return "127.0.0.1:" + c.ports.api[server] }

// Through has the clients that are made from now on, and our own, reach the API servers at an
// address: a balancer's.
func (c *Cluster) Through(address string) (err error) {
	c.config.Host = "https://" + address
	c.admin, err = kubernetes.NewForConfig(c.config)
	return err
}

// StartServer starts an API server after a kill.
func (c *Cluster) StartServer(ctx context.Context, server int) error {
	if err := c.Servers[server].start(); err != nil {
		return err
	}
	config := rest.CopyConfig(c.config)
	if c.options.Network == nil {
		config.Host = "https://" + c.ServerAddress(server)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	return c.Servers[server].await(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}
