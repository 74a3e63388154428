package sim

import (
	"slices"

	coordv1 "k8s.io/api/coordination/v1"
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

// memory is the server of most runs; committed is told of every change.
type memory struct {
	*store
	committed func(change)
}

func newServer(p Plan, committed func(change)) (*cached, error) {
	var s server = memory{newStore(namespace), committed}
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

func (m memory) get() (*coordv1.Lease, error)            { return m.store.get(leaseName) }
func (m memory) list() (*coordv1.LeaseList, error)       { return m.store.list(leaseName), nil }
func (m memory) close()                                  {}
func (m memory) at(v string) (*coordv1.LeaseList, error) { return m.store.at(leaseName, v) }
func (m memory) revision() int64                         { return m.store.revision }
func (m memory) backup() any                             { return m.store.backup() }
func (m memory) restore(b any, bump bool)                { m.store.restore(b.(backup), bump) }

func (m memory) history() ([]change, int64) { return slices.Clone(m.log), m.compacted }

func (m memory) since(revision int64) ([]change, error) { return m.store.since(leaseName, revision) }

func (m memory) create(l *coordv1.Lease) (*coordv1.Lease, error) {
	return m.told(func() (*coordv1.Lease, error) { return m.store.create(l) })
}

func (m memory) update(l *coordv1.Lease) (*coordv1.Lease, error) {
	return m.told(func() (*coordv1.Lease, error) { return m.store.update(l) })
}

func (m memory) patch(data []byte) (*coordv1.Lease, error) {
	return m.told(func() (*coordv1.Lease, error) { return m.store.patch(leaseName, data) })
}

func (m memory) edit(change func(*coordv1.Lease)) error {
	_, err := m.told(func() (*coordv1.Lease, error) { return nil, m.store.edit(leaseName, change) })
	return err
}

func (m memory) overwrite(l *coordv1.Lease) (*coordv1.Lease, error) {
	return m.told(func() (*coordv1.Lease, error) {
		next := normal(l)
		if err := validate(next); err != nil {
			return nil, err
		}
		return m.store.commit(leaseName, next), nil
	})
}

func (m memory) remove() {
	_, _ = m.told(func() (*coordv1.Lease, error) { m.store.remove(leaseName); return nil, nil })
}

// told tells of the change that f made, if it made one.
func (m memory) told(f func() (*coordv1.Lease, error)) (*coordv1.Lease, error) {
	before := m.store.revision
	out, err := f()
	if m.store.revision != before {
		m.committed(m.log[len(m.log)-1])
	}
	return out, err
}
