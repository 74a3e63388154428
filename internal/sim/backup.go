package sim

import (
	"maps"
	"slices"

	coordv1 "k8s.io/api/coordination/v1"
)

// compact forgets the past.
func (s *store) compact() {
	s.compacted, s.log = s.revision, nil
	s.forgotten, s.before = s.revision, nil
}

// backup of a store.
type backup struct {
	revision  int64
	leases    map[string]*coordv1.Lease
	log       []change
	forgotten int64
}

func (s *store) backup() backup {
	return backup{s.revision, maps.Clone(s.leases), slices.Concat(s.before, s.log), s.forgotten}
}

// restore puts a backup back: the revision goes back with it, or far ahead of
// the backup's. Objects keep their old versions.
func (s *store) restore(b backup, bump bool) {
	s.leases, s.revision = maps.Clone(b.leases), b.revision
	if bump {
		s.revision += revisionBump
	}
	s.compact()
	if !bump {
		s.forgotten, s.before = b.forgotten, b.log
	}
}
