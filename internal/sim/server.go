package sim

import (
	"strconv"

	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// server is an API server with the one Lease of a run.
type server interface {
	get() (*coordv1.Lease, error)
	list() (*coordv1.LeaseList, error)
	at(version string) (*coordv1.LeaseList, error) // the list of the past; 410 when it is too far back
	create(*coordv1.Lease) (*coordv1.Lease, error)
	update(*coordv1.Lease) (*coordv1.Lease, error)
	patch(data []byte) (*coordv1.Lease, error)
	since(revision int64) ([]change, error) // 410 when it is too far back
	revision() int64
	history() (log []change, compacted int64) // all that since knows

	edit(func(*coordv1.Lease)) error
	overwrite(*coordv1.Lease) (*coordv1.Lease, error) // whatever is stored
	remove()
	backup() any
	restore(backup any, bump bool)
	compact()
	close()
}

// change is one commit; old is nil for a create, new for a delete.
type change struct {
	revision int64
	old, new *coordv1.Lease
	blind    bool // the server took the old one for another
}

// event is what a watch is told of the change.
func (c change) event() watch.Event {
	switch {
	case c.new == nil:
		gone := c.old.DeepCopy()
		gone.ResourceVersion = strconv.FormatInt(c.revision, 10)
		return watch.Event{Type: watch.Deleted, Object: gone}
	case c.old == nil:
		return watch.Event{Type: watch.Added, Object: c.new.DeepCopy()}
	}
	return watch.Event{Type: watch.Modified, Object: c.new.DeepCopy()}
}

func newServer(p Plan, committed func(change)) (*cached, error) {
	var s server = newMemory(committed)
	if p.REST {
		s = newCluster(committed)
	}
	if !p.NoLease {
		if _, err := s.create(manifest()); err != nil {
			return nil, err
		}
	}
	return &cached{server: s}, nil
}
