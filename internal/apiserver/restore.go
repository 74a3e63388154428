package apiserver

// Snapshot is a backup of the store.
type Snapshot struct{ history *history }

// Snapshot takes a backup.
func (c *Cluster) Snapshot() *Snapshot {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	return &Snapshot{c.store.history.Clone()}
}

// Restore puts a backup of this cluster back, as restoring etcd does: what was
// written since is gone and the revision goes back with it, or, with bump, is
// put far ahead of the backup's (etcdutl --bump-revision --mark-compacted), while
// objects keep their old resourceVersions. Every connection is broken, since the
// API server restarts. Observers are told of nothing.
//
// With a bump the history goes too: exact lists of versions before the restored
// revision get 410 Gone. Without one it is the backup's.
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
	s.history, s.cache = from.history.Restored(bump), nil
	s.wake()
}

// RestoreUnderCache puts a backup back, without a bump, under an API server that
// goes on running. Its cache is then ahead of the store, and stays so until the
// store's own revision has passed the cache's: it learns only of writes above
// that, so a Lease that is not written again is shown as it was for ever. Seen on
// kube-apiserver 1.37:
//
//   - LISTs, and GETs with a resourceVersion, show the cache, and its revision.
//   - GETs without one, and exact lists of one name, ask the store. Other exact
//     lists, and watches from old versions, show what the cache remembers.
//   - No connection breaks. Open watches go on, silent until then.
//   - A write is first tried on what the cache shows, preconditions and tests of
//     a JSON patch included. If that fails, or the versions differ, it is tried
//     on what is stored. So once a Lease is stored at the very version at which
//     the cache shows another record, a write that tests the cache's record
//     overwrites the stored one, and one that tests the stored one is refused.
func (c *Cluster) RestoreUnderCache(s *Snapshot) { c.store.restoreUnderCache(s) }

func (s *store) restoreUnderCache(from *Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := s.view(false)
	s.history, s.cache = from.history.Restored(false), shown
	if shown.Head() < s.history.Head() {
		s.cache = nil // a backup of before another restore: the store is ahead
	}
	s.wake()
}
