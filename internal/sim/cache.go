package sim

import (
	"slices"
	"strconv"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// cached is an API server: a store, and the cache that LISTs and WATCHes are
// answered from. GETs, lists of the past and writes ask the store. The two differ
// only after a restore under the running server.
type cached struct {
	server
	ahead *past // what the cache had then; nil: it is as the store
}

// past is a cache as of a revision.
type past struct {
	revision  int64
	lease     *coordv1.Lease
	log       []change
	compacted int64
}

// restoreBelow restores the store and leaves the cache as it is. Events come when
// the store's revision has passed the cache's.
func (c *cached) restoreBelow(backup any) {
	if c.ahead == nil || c.revision() > c.ahead.revision {
		p := &past{revision: c.revision()}
		p.log, p.compacted = c.history()
		p.lease, _ = c.get()
		c.ahead = p
	}
	c.server.restore(backup, false)
}

// restart fills the cache anew.
func (c *cached) restart() { c.ahead = nil }

// head is the revision of the cache.
func (c *cached) head() int64 {
	if c.ahead != nil {
		return max(c.ahead.revision, c.revision())
	}
	return c.revision()
}

// list is the cache's: what it had, until it is told of a change.
func (c *cached) list() (*coordv1.LeaseList, error) {
	if c.ahead == nil {
		return c.server.list()
	}
	if changes, err := c.server.since(c.ahead.revision); err != nil || len(changes) > 0 {
		return c.server.list()
	}
	out := &coordv1.LeaseList{ListMeta: metav1.ListMeta{ResourceVersion: strconv.FormatInt(c.head(), 10)}}
	if l := c.ahead.lease; l != nil {
		out.Items = []coordv1.Lease{*l.DeepCopy()}
	}
	return out, nil
}

// since is what a watch of the cache is told.
func (c *cached) since(revision int64) ([]change, error) {
	if c.ahead == nil {
		return c.server.since(revision)
	}
	if revision < c.ahead.compacted {
		return nil, expired(revision)
	}
	later, err := c.server.since(max(revision, c.ahead.revision))
	if err != nil || revision >= c.ahead.revision {
		return later, err
	}
	old := slices.DeleteFunc(slices.Clone(c.ahead.log), func(ch change) bool { return ch.revision <= revision })
	return append(old, later...), nil
}

// hides reports whether the cache shows another Lease than the store has.
func (c *cached) hides() bool {
	if c.ahead == nil {
		return false
	}
	changes, err := c.server.since(c.ahead.revision)
	if err != nil || len(changes) > 0 {
		return false
	}
	l, err := c.get()
	if err != nil || c.ahead.lease == nil {
		return (err == nil) != (c.ahead.lease != nil)
	}
	return l.ResourceVersion != c.ahead.lease.ResourceVersion || l.UID != c.ahead.lease.UID
}

// showed reports whether the cache has shown another record at that revision.
func (c *cached) showed(revision int64) bool {
	return c.ahead != nil && slices.ContainsFunc(c.ahead.log, func(ch change) bool { return ch.revision == revision })
}
