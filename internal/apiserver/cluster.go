package apiserver

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
)

// Options of a [Cluster]. The zero value is fine.
type Options struct {
	// Namespaces that exist. Empty: every namespace does. Otherwise a create in
	// another one fails with 404. See [Cluster.AddNamespace].
	Namespaces []string
	// CoordinatedLeaderElection is the server's feature gate of that name: if it
	// is off, as by default, the server drops spec.strategy and
	// spec.preferredHolder from Leases that do not have them yet.
	CoordinatedLeaderElection bool
}

// Cluster is an API server with its store. It is safe for use by many goroutines.
// Close it when done.
type Cluster struct {
	resources []*resource
	leases    *resource
	store     *store
	ctx       context.Context // ends at Close
	cancel    context.CancelFunc
	running   sync.WaitGroup // requests and listeners

	mu         sync.Mutex
	closed     bool
	namespaces map[string]bool // nil: all exist
	forbidden  map[string]map[string]bool
	links      map[string]*Link
	requests   []Request
	server     *http.Server
	url        string
}

// New starts a cluster. Inside a [testing/synctest] bubble, call it inside.
func New(o Options) *Cluster {
	c := &Cluster{
		resources: resources(o), store: newStore(),
		forbidden: map[string]map[string]bool{}, links: map[string]*Link{},
	}
	c.leases = c.resources[0]
	c.ctx, c.cancel = context.WithCancel(context.Background())
	for _, ns := range o.Namespaces {
		c.AddNamespace(ns)
	}
	return c
}

// Close ends every request and watch, stops listening, and waits until nothing
// of the cluster runs any more. Clients then meet "connection refused".
func (c *Cluster) Close() {
	c.mu.Lock()
	c.closed = true
	links, server := make([]*Link, 0, len(c.links)), c.server
	for _, l := range c.links {
		links = append(links, l)
	}
	c.mu.Unlock()
	c.cancel()
	for _, l := range links {
		l.Cut()
	}
	if server != nil {
		_ = server.Close()
	}
	c.running.Wait()
}

// enter counts a request in, unless the cluster is closed.
func (c *Cluster) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.running.Add(1)
	}
	return !c.closed
}

// Client returns a client that reaches the cluster in memory under the given
// name, which is at once its user name and the name of its [Link]. It sends
// protobuf and has no rate limit, as if made from [Cluster.RESTConfig].
func (c *Cluster) Client(name string) coordclient.CoordinationV1Interface {
	client, err := coordclient.NewForConfig(c.RESTConfig(name))
	if err != nil {
		panic(fmt.Sprintf("apiserver: client %q: %v", name, err)) // the configuration is ours
	}
	return client
}

// RESTConfig returns a configuration for a client that reaches the cluster in
// memory: set what you need (ContentType, Timeout, QPS) and build any client. Wrap
// its transport ([rest.Config.Wrap]) for answers that are not the server's.
func (c *Cluster) RESTConfig(name string) *rest.Config {
	return &rest.Config{Host: "http://apiserver.invalid", Transport: memory{c}, BearerToken: name, QPS: -1}
}

// Link returns the link of the client of that name; "" and "anonymous" name the
// one of clients without a name.
func (c *Cluster) Link(name string) *Link {
	if name == "" {
		name = anonymous
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l, ok := c.links[name]
	if !ok {
		l = newLink(c)
		c.links[name] = l
	}
	return l
}

// AddNamespace makes a namespace exist. From the first one on, only those added exist.
func (c *Cluster) AddNamespace(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.namespaces == nil {
		c.namespaces = map[string]bool{}
	}
	c.namespaces[name] = true
}

func (c *Cluster) needNamespace(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.namespaces == nil || c.namespaces[name] {
		return nil
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, name)
}
