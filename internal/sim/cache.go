package sim

import (
	"slices"

	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/hotseat-go/hotseat/internal/apistore"
)

// cached is an API server: a store, and the cache that LISTs and WATCHes are
// answered from. GETs and lists of the past ask the store; writes are tried on what
// the cache has first. The two differ only after a restore under the running server.
type cached struct {
	server
	ahead *past // what the cache had then; nil: it is as the store
	blind bool  // something made of the cache's Lease is being stored over another
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
	shown := &past{revision: c.head(), lease: c.lease()}
	shown.log, shown.compacted = c.history()
	c.server.restore(backup, false)
	c.ahead = shown
	if c.revision() > shown.revision { // of before another restore
		c.ahead = nil
	}
}

// history is all that the cache remembers.
func (c *cached) history() (log []change, compacted int64) {
	if c.ahead == nil {
		return c.server.history()
	}
	log, err := c.later()
	if err != nil { // compacted
		return c.server.history()
	}
	return append(slices.Clone(c.ahead.log), log...), c.ahead.compacted
}

// later are the changes that the cache was told of since, as it sees them: over
// what it had.
func (c *cached) later() ([]change, error) {
	changes, err := c.server.since(c.ahead.revision)
	if err != nil || len(changes) == 0 {
		return nil, err
	}
	changes = slices.Clone(changes)
	changes[0].old = c.ahead.lease
	if changes[0].old == nil && changes[0].new == nil {
		changes = changes[1:]
	}
	return changes, nil
}

// lease is what the cache shows; nil if it shows none.
func (c *cached) lease() *coordv1.Lease {
	if c.stale() {
		return c.ahead.lease
	}
	l, err := c.get()
	if err != nil {
		return nil
	}
	return l
}

// restart fills the cache anew.
func (c *cached) restart() { c.ahead = nil }

// compact makes all that was listed too old to watch from. A cache that is ahead of its
// store keeps its own watch of that.
func (c *cached) compact() {
	if c.ahead != nil && c.revision() > c.ahead.revision {
		c.ahead = nil
	}
	c.server.compact()
}

// head is the revision of the cache.
func (c *cached) head() int64 {
	if c.ahead != nil {
		return max(c.ahead.revision, c.revision())
	}
	return c.revision()
}

// list is the cache's: what it had, until it is told of a change.
func (c *cached) list() (*coordv1.LeaseList, error) {
	if !c.stale() {
		return c.server.list()
	}
	return listOf(c.ahead.lease, c.head()), nil
}

// since is what a watch of the cache is told.
func (c *cached) since(revision int64) ([]change, error) {
	if c.ahead == nil {
		return c.server.since(revision)
	}
	if revision < c.ahead.compacted {
		return nil, expired(revision)
	}
	later, err := c.later()
	if err != nil {
		return nil, err
	}
	known := func(ch change) bool { return ch.revision <= revision }
	return slices.DeleteFunc(append(slices.Clone(c.ahead.log), later...), known), nil
}

// stale reports whether the cache has not been told of a change since.
func (c *cached) stale() bool {
	if c.ahead == nil {
		return false
	}
	changes, err := c.server.since(c.ahead.revision)
	return err == nil && len(changes) == 0
}

// update is a PUT.
func (c *cached) update(l *coordv1.Lease) (*coordv1.Lease, error) {
	compare := func(cur *coordv1.Lease) (*coordv1.Lease, error) {
		next := l.DeepCopy()
		if err := apistore.InNamespace(next, namespace); err != nil {
			return nil, err
		}
		if err := apistore.SameUID(leaseResource(), next, cur); err != nil {
			return nil, err
		}
		return next, sameVersion(next, cur)
	}
	return c.guess(compare, func() (*coordv1.Lease, error) { return c.server.update(l) })
}

// patch is a PATCH.
func (c *cached) patch(data []byte) (*coordv1.Lease, error) {
	apply := func(cur *coordv1.Lease) (*coordv1.Lease, error) { return changed(cur, data) }
	return c.guess(apply, func() (*coordv1.Lease, error) { return c.server.patch(data) })
}

// guess is how kube-apiserver writes: on what the cache has and, if that fails or
// is of another version than what is stored, on that. So where the two are of one
// version and differ, what was made of the one is written over the other, and what
// only fits the other is refused.
func (c *cached) guess(try func(*coordv1.Lease) (*coordv1.Lease, error), really func() (*coordv1.Lease, error)) (*coordv1.Lease, error) {
	if !c.stale() || c.ahead.lease == nil {
		return really()
	}
	stored, err := c.get()
	if err != nil || stored.ResourceVersion != c.ahead.lease.ResourceVersion {
		return really()
	}
	next, err := try(c.ahead.lease.DeepCopy())
	switch {
	case err != nil:
		return nil, err
	case equality.Semantic.DeepEqual(next, c.ahead.lease): // nothing to write, by the cache
		return really()
	}
	c.blind = true
	defer func() { c.blind = false }()
	next.UID, next.CreationTimestamp = c.ahead.lease.UID, c.ahead.lease.CreationTimestamp
	return c.overwrite(next)
}

// jammed reports whether nothing can be written: what fits the cache's Lease has
// another UID than what is stored, at the same version.
func (c *cached) jammed() bool {
	if !c.stale() || c.ahead.lease == nil {
		return false
	}
	l, err := c.get()
	return err == nil && l.ResourceVersion == c.ahead.lease.ResourceVersion && l.UID != c.ahead.lease.UID
}

// hides reports whether the cache shows another Lease than the store has.
func (c *cached) hides() bool {
	if !c.stale() {
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
