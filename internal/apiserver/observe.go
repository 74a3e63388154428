package apiserver

import (
	"slices"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Write is one commit to the store.
type Write struct {
	Time     time.Time
	User     string // empty for an operator action such as [Cluster.EditLease]
	Verb     string // create, update, patch, delete; empty for an operator action
	Resource string // for example "leases"
	Revision int64  // the resourceVersion of the commit

	// Old is nil for a create, New for a delete. Both are copies.
	Old, New runtime.Object
}

// Leases returns Old and New as Leases, nil where they are missing or are not Leases.
func (w Write) Leases() (before, after *coordv1.Lease) {
	before, _ = w.Old.(*coordv1.Lease)
	after, _ = w.New.(*coordv1.Lease)
	return before, after
}

func (w Write) copied() Write {
	if w.Old != nil {
		w.Old = w.Old.DeepCopyObject()
	}
	if w.New != nil {
		w.New = w.New.DeepCopyObject()
	}
	return w
}

// OnWrite has observe called for each later commit, in commit order, one at a
// time, before the answer to the write leaves the server. It may use the
// operator actions and the links; it must not wait for a request.
func (c *Cluster) OnWrite(observe func(Write)) {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	c.store.observers = append(c.store.observers, observe)
}

// Request is one request that the server has served, whether or not its answer
// arrived. Requests lost on the way to it are not listed.
type Request struct {
	Time      time.Time // when it was served
	User      string
	Verb      string // get, list, watch, create, update, patch or delete
	Resource  string
	Namespace string
	Name      string
	Code      int // HTTP status
}

// Requests returns what the server has served since it started or since
// [Cluster.ForgetRequests], in order.
func (c *Cluster) Requests() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}

// CountRequests returns how many of [Cluster.Requests] are of the user (empty:
// of any) and of one of the verbs (none: of any).
func (c *Cluster) CountRequests(user string, verbs ...string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, r := range c.requests {
		if (user == "" || r.User == user) && (len(verbs) == 0 || slices.Contains(verbs, r.Verb)) {
			n++
		}
	}
	return n
}

// ForgetRequests empties the list of requests, which otherwise only grows.
func (c *Cluster) ForgetRequests() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = nil
}

func (c *Cluster) record(r *request, code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, Request{
		Time: time.Now(), User: r.user, Verb: r.verb, Resource: r.res.Resource,
		Namespace: r.namespace, Name: r.name, Code: code,
	})
}
