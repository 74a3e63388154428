package singletontest

import (
	"cmp"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

// Options of a [Cluster]. The zero value is ready to use.
type Options struct {
	// Namespace and Lease name the Lease. Default: "default" and "lease".
	Namespace, Lease string
	// WithoutLease begins without the Lease, like a deployment that ships none. A replica then creates
	// the Lease, and work starts a lease duration later.
	WithoutLease bool
}

// Cluster is an API server with one Lease, which nobody holds at first. Its methods are safe for
// concurrent use. Close it when done.
type Cluster struct {
	server *apiserver.Cluster
	o      Options
}

// New starts a cluster. To use it in a [testing/synctest] bubble, call New in the bubble. New
// panics if an API server would refuse the names.
func New(o Options) *Cluster {
	o.Namespace, o.Lease = cmp.Or(o.Namespace, "default"), cmp.Or(o.Lease, "lease")
	c := &Cluster{server: apiserver.New(apiserver.Options{}), o: o}
	if !o.WithoutLease {
		c.ship()
	}
	return c
}

func (c *Cluster) ship() {
	meta := metav1.ObjectMeta{Namespace: c.o.Namespace, Name: c.o.Lease}
	if _, err := c.server.CreateLease(&coordv1.Lease{ObjectMeta: meta}); err != nil {
		panic("singletontest: " + err.Error())
	}
}

// Close ends every request and watch, and waits until nothing of the cluster runs any more.
func (c *Cluster) Close() { c.server.Close() }

// Client returns a client that reaches the cluster in memory. name is the client's user name, and
// the name of its [Link]. Give each replica its own name.
func (c *Cluster) Client(name string) coordclient.CoordinationV1Interface {
	return c.server.Client(name)
}

// RESTConfig returns the configuration of a client like that of [Cluster.Client], in memory, for
// code that makes its own clients.
func (c *Cluster) RESTConfig(name string) *rest.Config { return c.server.RESTConfig(name) }

// Listen also serves the cluster over loopback HTTP, for replicas in separate processes. There a
// client's bearer token is its name.
func (c *Cluster) Listen() (url string, err error) { return c.server.Listen() }

// Link returns the network between the client of that name and the cluster.
func (c *Cluster) Link(name string) *Link { return &Link{c.server.Link(name)} }

// Forbid takes verbs away from a client, on Leases and on everything else. [Cluster.Allow] gives
// them back. The verbs are get, list, watch, create, update, patch and delete.
func (c *Cluster) Forbid(name string, verbs ...string) { c.server.Forbid(name, verbs...) }

// Allow gives verbs back that [Cluster.Forbid] took away.
func (c *Cluster) Allow(name string, verbs ...string) { c.server.Allow(name, verbs...) }

// Lease returns the Lease as stored; nil if there is none.
func (c *Cluster) Lease() *coordv1.Lease { return c.server.Lease(c.o.Namespace, c.o.Lease) }

// EditLease edits the Lease as somebody with kubectl does. The error is the API server's.
func (c *Cluster) EditLease(edit func(*coordv1.Lease)) error {
	return c.server.EditLease(c.o.Namespace, c.o.Lease, edit)
}

// DeleteLease deletes the Lease, and reports whether there was one.
func (c *Cluster) DeleteLease() bool { return c.server.DeleteLease(c.o.Namespace, c.o.Lease) }

// WaitLease waits until the Lease matches, for timeout at most, and reports whether it did. match
// gets nil while there is no Lease.
func (c *Cluster) WaitLease(
	timeout time.Duration, match func(*coordv1.Lease) bool,
) (*coordv1.Lease, bool) {
	return c.server.WaitLease(c.o.Namespace, c.o.Lease, timeout, match)
}

// Link is the network between one client and the cluster. Its methods take effect at once, do not
// block, and are safe for concurrent use.
type Link struct{ link *apiserver.Link }

// Cut breaks every connection, and refuses new ones.
func (l *Link) Cut() { l.link.Cut() }

// BlackHole makes messages vanish without notice to either side: a partition.
func (l *Link) BlackHole() { l.link.BlackHole() }

// Freeze holds messages back until [Link.Heal], which then delivers them in order.
func (l *Link) Freeze() { l.link.Freeze() }

// Heal ends Cut, BlackHole and Freeze.
func (l *Link) Heal() { l.link.Heal() }

// Inject adds a fault. remove takes the fault away again, but does not help requests that it has
// already hit.
func (l *Link) Inject(f Fault) (remove func()) { return l.link.Inject(apiserver.Fault(f)) }

// Fault is what happens to some requests of one client. A request meets the first fault that
// matches it. The zero Fault matches every request and changes nothing.
type Fault struct {
	// Verbs that the fault matches: get, list, watch, create, update, patch, delete. Empty: all of
	// them.
	Verbs []string
	// Skip lets that many matching requests pass first.
	Skip int
	// Count is how many requests the fault then hits; 0 means all until it is removed.
	Count int

	// LoseRequest breaks the connection before the server has seen the request.
	LoseRequest bool
	// HangRequest lets the request vanish; the client gets no answer until it gives up.
	HangRequest bool
	// DelayBefore is how long the request takes to reach the server. It arrives even if the client has
	// given up meanwhile.
	DelayBefore time.Duration
	// Status is the HTTP status, 400 to 599, of the answer that the client gets instead.
	Status int
	// RetryAfter goes into the Retry-After header of that answer, rounded up to whole seconds; 0 sends
	// no header.
	RetryAfter time.Duration
	// DelayAfter is how long the answer takes, after the commit.
	DelayAfter time.Duration
	// LoseAnswer breaks the connection after the commit.
	LoseAnswer bool
	// HangAnswer commits, and never answers.
	HangAnswer bool
	// Then, if set, is called for each request that the fault hits, before the client can notice. It
	// must not wait for that client.
	Then func()
}
