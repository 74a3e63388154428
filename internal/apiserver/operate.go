package apiserver

import (
	"strconv"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func (c *Cluster) leaseKey(namespace, name string) key {
	return key{res: c.leases, namespace: namespace, name: name}
}

// Lease returns a copy of the stored Lease, nil if there is none.
func (c *Cluster) Lease(namespace, name string) *coordv1.Lease {
	obj := c.store.get(c.leaseKey(namespace, name), true)
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
// now gets (but see [Cluster.RestoreUnderCache]).
func (c *Cluster) Revision() string { return strconv.FormatInt(c.store.revision(true), 10) }

// Compact forgets the past: new watches from versions before now, and exact
// lists of them, get 410 Gone. Open watches go on.
func (c *Cluster) Compact() {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	c.store.history.Compact()
	if c.store.cache != nil {
		c.store.cache.Compact()
	}
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
