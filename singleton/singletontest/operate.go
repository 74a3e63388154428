package singletontest

import (
	"maps"
	"strconv"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// revisionBump is how far Restore with bump puts the revision ahead, as in
// etcd's own advice for --bump-revision.
const revisionBump = 1_000_000_000

func (c *Cluster) leaseKey(namespace, name string) key {
	return key{res: c.leases, namespace: namespace, name: name}
}

// Lease returns a copy of the stored Lease, nil if there is none.
func (c *Cluster) Lease(namespace, name string) *coordv1.Lease {
	obj := c.store.get(c.leaseKey(namespace, name))
	if obj == nil {
		return nil
	}
	return obj.(*coordv1.Lease).DeepCopy()
}

// CreateLease stores a new Lease and returns a copy of what is stored. The
// server's rules for a create apply.
func (c *Cluster) CreateLease(lease *coordv1.Lease) (*coordv1.Lease, error) {
	k := c.leaseKey(lease.Namespace, lease.Name)
	out, err := c.store.update(k, writer{}, func(cur object) (object, error) {
		return prepareCreate(k.res, lease, cur)
	})
	if err != nil {
		return nil, err
	}
	return out.(*coordv1.Lease).DeepCopy(), nil
}

// EditLease changes the stored Lease, whoever else writes it meanwhile (edit may
// run more than once). The server's rules for an update apply, preconditions
// apart; a missing Lease is a NotFound error.
func (c *Cluster) EditLease(namespace, name string, edit func(*coordv1.Lease)) error {
	k := c.leaseKey(namespace, name)
	_, err := c.store.update(k, writer{}, func(cur object) (object, error) {
		if cur == nil {
			return nil, apierrors.NewNotFound(k.res.GroupResource(), name)
		}
		lease := cur.(*coordv1.Lease).DeepCopy()
		edit(lease)
		lease.ResourceVersion = cur.GetResourceVersion()
		lease.UID = cur.GetUID()
		return prepareUpdate(k.res, lease, cur)
	})
	return err
}

// DeleteLease removes the Lease, finalizers or not, and tells whether it was there.
func (c *Cluster) DeleteLease(namespace, name string) bool {
	found := false
	_, _ = c.store.update(c.leaseKey(namespace, name), writer{}, func(cur object) (object, error) {
		found = cur != nil
		return nil, nil
	})
	return found
}

// Revision returns the store's current revision, the resourceVersion that a LIST
// now gets.
func (c *Cluster) Revision() string { return strconv.FormatInt(c.store.revision(), 10) }

// Compact forgets the past: new watches from versions before now, and exact
// lists of them, get 410 Gone. Open watches go on.
func (c *Cluster) Compact() {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	c.store.compacted = c.store.rev
}

// Snapshot is a backup of the store.
type Snapshot struct {
	rev     int64
	objects map[key]entry
}

// Snapshot takes a backup.
func (c *Cluster) Snapshot() *Snapshot {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	return &Snapshot{rev: c.store.rev, objects: maps.Clone(c.store.objects)}
}

// Restore puts a backup of this cluster back, as restoring etcd does: what was
// written since is gone and the revision goes back with it, or, with bump, is
// put far ahead of the backup's (etcdutl --bump-revision --mark-compacted), while
// objects keep their old resourceVersions. Every connection is broken, since the
// API server restarts. Observers are told of nothing.
//
// The history goes too: exact lists of versions before the restored revision get
// 410 Gone. So it is with a real bump. Without one a real etcd still has what the
// backup had; but who asks must be ready for 410 anyway.
func (c *Cluster) Restore(s *Snapshot, bump bool) {
	c.store.restore(s, bump)
	c.mu.Lock()
	links := make([]*Link, 0, len(c.links))
	for _, l := range c.links {
		links = append(links, l)
	}
	c.mu.Unlock()
	for _, l := range links {
		l.resetAll()
	}
}

func (s *store) restore(from *Snapshot, bump bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects = maps.Clone(from.objects)
	s.rev = from.rev
	if bump {
		s.rev += revisionBump
	}
	s.compacted, s.trimmed, s.log = s.rev, s.rev, nil
	close(s.changed)
	s.changed = make(chan struct{})
}

// WaitLease calls match with the stored Lease (nil if there is none) now and at
// every change until it returns true, and returns that Lease. It returns nil and
// false after timeout, or when the cluster closes.
func (c *Cluster) WaitLease(namespace, name string, timeout time.Duration, match func(*coordv1.Lease) bool) (*coordv1.Lease, bool) {
	t := time.NewTimer(timeout)
	defer t.Stop()
	for {
		c.store.mu.Lock()
		changed := c.store.changed
		c.store.mu.Unlock()
		if lease := c.Lease(namespace, name); match(lease) {
			return lease, true
		}
		select {
		case <-changed:
		case <-t.C:
			return nil, false
		case <-c.ctx.Done():
			return nil, false
		}
	}
}
