package sim

import (
	"context"
	"slices"
	"strconv"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

// cluster is apiserver's server as a [server]: the driver asks it through
// client-go, one request at a time and without faults, which the bus adds.
type cluster struct {
	*apiserver.Cluster
	leases    coordclient.LeaseInterface
	log       []change
	compacted int64
}

func newCluster(committed func(change)) *cluster {
	c := &cluster{Cluster: apiserver.New(apiserver.Options{}), compacted: 1}
	c.leases = c.Client("driver").Leases(namespace)
	c.OnWrite(func(w apiserver.Write) {
		old, stored := w.Leases()
		ch := change{revision: w.Revision, old: old, new: stored}
		c.log = append(c.log, ch)
		committed(ch)
	})
	return c
}

func (c *cluster) get() (*coordv1.Lease, error) {
	return c.leases.Get(context.Background(), leaseName, metav1.GetOptions{})
}

func (c *cluster) list() (*coordv1.LeaseList, error) {
	return c.leases.List(context.Background(), metav1.ListOptions{FieldSelector: "metadata.name=" + leaseName})
}

func (c *cluster) at(version string) (*coordv1.LeaseList, error) {
	return c.leases.List(context.Background(), metav1.ListOptions{
		FieldSelector: "metadata.name=" + leaseName, ResourceVersion: version, ResourceVersionMatch: metav1.ResourceVersionMatchExact,
	})
}

func (c *cluster) create(l *coordv1.Lease) (*coordv1.Lease, error) {
	return c.leases.Create(context.Background(), l, metav1.CreateOptions{})
}

func (c *cluster) update(l *coordv1.Lease) (*coordv1.Lease, error) {
	return c.leases.Update(context.Background(), l, metav1.UpdateOptions{})
}

func (c *cluster) patch(data []byte) (*coordv1.Lease, error) {
	return c.leases.Patch(context.Background(), leaseName, types.JSONPatchType, data, metav1.PatchOptions{})
}

func (c *cluster) since(revision int64) ([]change, error) {
	if revision < c.compacted {
		return nil, expired(revision)
	}
	var out []change
	for _, ch := range c.log {
		if ch.revision > revision {
			out = append(out, ch)
		}
	}
	return out, nil
}

func (c *cluster) history() ([]change, int64) { return slices.Clone(c.log), c.compacted }

func (c *cluster) revision() int64 {
	n, _ := strconv.ParseInt(c.Revision(), 10, 64) // its own
	return n
}

func (c *cluster) edit(change func(*coordv1.Lease)) error {
	return c.EditLease(namespace, leaseName, change)
}

// overwrite keeps the UID: the server changes none for an operator.
func (c *cluster) overwrite(next *coordv1.Lease) (*coordv1.Lease, error) {
	err := c.edit(func(l *coordv1.Lease) { l.Spec, l.Annotations, l.Labels = next.Spec, next.Annotations, next.Labels })
	if err != nil {
		return nil, err
	}
	return c.get()
}

func (c *cluster) remove()     { c.DeleteLease(namespace, leaseName) }
func (c *cluster) backup() any { return c.Snapshot() }
func (c *cluster) close()      { c.Close() }

func (c *cluster) restore(b any, bump bool) {
	c.Restore(b.(*apiserver.Snapshot), bump)
	c.compact()
}

func (c *cluster) compact() {
	c.Compact()
	c.compacted, c.log = c.revision(), nil
}
