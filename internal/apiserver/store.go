package apiserver

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/internal/apistore"
)

// key names one stored object.
type key struct {
	res             *resource
	namespace, name string
}

// history is what is stored, and how it came to be so; change is one step of it.
type (
	history = apistore.History[key, object]
	change  = apistore.Change[key, object]
)

// versionOf is the object's resourceVersion, empty if there is none.
func versionOf(o object) string {
	if o == nil {
		return ""
	}
	return o.GetResourceVersion()
}

// writer says who writes, for observers, and whether it is only a dry run.
type writer struct {
	user, verb string
	dryRun     bool
}

// store is a small etcd: objects under one revision counter, and the log of
// changes that watches read. Objects handed out are shared: copy before editing.
type store struct {
	mu      sync.Mutex
	history *history      // what is stored
	cache   *history      // what lists and watches show instead, after [Cluster.RestoreUnderCache]
	changed chan struct{} // closed and replaced at every change

	observers  []func(Write)
	unreported []report
	reporting  bool
}

type report struct {
	write Write
	done  chan struct{}
}

func newStore() *store {
	return &store{history: apistore.New[key, object](), changed: make(chan struct{})}
}

// get returns what is at k in the store itself if stored, else in what is shown.
func (s *store) get(k key, stored bool) object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view(stored).Get(k)
}

// view is the store itself if stored, else what is shown. The caller holds s.mu.
func (s *store) view(stored bool) *history {
	if stored || s.cache == nil {
		return s.history
	}
	return s.cache
}

// cached returns what is at k in the cache, nil if there is no cache or nothing in it.
func (s *store) cached(k key) object {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cache == nil {
		return nil
	}
	return s.cache.Get(k)
}

// list returns the objects of a resource in a namespace (all if empty), ordered by namespace and name,
// as of revision at (0 is now), and that revision: of the store itself if stored, else of what is shown.
func (s *store) list(res *resource, namespace string, at int64, stored bool) ([]object, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.view(stored)
	if at == 0 {
		at = h.Head()
	}
	objects, err := h.At(at)
	if err != nil {
		return nil, 0, err
	}
	keys := slices.SortedFunc(maps.Keys(objects), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	})
	var out []object
	for _, k := range keys {
		if k.res == res && (namespace == "" || k.namespace == namespace) {
			out = append(out, objects[k])
		}
	}
	return out, at, nil
}

// revision is that of the store itself if stored, else of what is shown.
func (s *store) revision(stored bool) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view(stored).Head()
}

// startable tells whether a watch may start after revision rev.
func (s *store) startable(rev int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view(false).Startable(rev)
}

// since returns the changes after rev, the revision up to which they reach, and
// a channel that is closed at the next change.
func (s *store) since(rev int64) (changes []change, head int64, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.view(false)
	changes, err = h.Since(rev)
	return changes, max(rev, h.Head()), s.changed, err
}

// update replaces the object at k by what edit makes of it: nil deletes it, an
// unchanged object changes nothing. edit gets nil for a missing object, must not
// change what it gets, and runs again when another writer came between; no lock
// is held meanwhile. The result is the stored object (for a delete: the last one,
// at the revision of the delete).
//
// As kube-apiserver does, a request's write is first tried on what the cache
// shows, and all that the store itself then compares is the version.
func (s *store) update(k key, w writer, edit func(cur object) (object, error)) (object, error) {
	cur := s.cached(k)
	guess := cur != nil && w.verb != ""
	for {
		stored := s.get(k, true)
		if !guess {
			cur = stored
		}
		next, err := edit(cur)
		if err != nil && guess && versionOf(cur) != versionOf(stored) {
			guess = false
			continue
		}
		guess = false
		if err != nil {
			return nil, err
		}
		if next != nil {
			if next, err = normalize(k.res, next); err != nil {
				return nil, err
			}
		}
		out, done, ok := s.commit(k, w, cur, next)
		if !ok {
			continue
		}
		if done != nil {
			s.report()
			if w.verb != "" {
				// Another writer may be reporting: observers see this write
				// before its answer leaves. (An operator action may come from an
				// observer itself, so it does not wait.)
				<-done
			}
		}
		return out, nil
	}
}

// commit stores next at k if what is there has the version of cur, of which next
// was made. done is nil when nothing changed.
func (s *store) commit(k key, w writer, cur, next object) (out object, done chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored := s.history.Get(k)
	switch {
	case versionOf(stored) != versionOf(cur):
		return nil, nil, false
	case stored == nil && next == nil:
		return nil, nil, true
	case same(cur, next):
		return stored, nil, same(stored, next)
	case w.dryRun:
		return tried(stored, next), nil, true
	}
	c := s.history.Commit(k, next)
	if s.cache != nil && c.Revision > s.cache.Head() {
		s.cache.Follow(c)
	}
	write := Write{Time: time.Now(), User: w.user, Verb: w.verb, Resource: k.res.Resource, Revision: c.Revision}
	if c.Old != nil {
		write.Old = c.Old
	}
	if out = c.New; out != nil {
		write.New = out
	} else {
		out = c.Gone()
	}
	done = make(chan struct{})
	s.unreported = append(s.unreported, report{write, done})
	s.wake()
	return out, done, true
}

// tried is the answer to a dry run.
func tried(stored, next object) object {
	if next == nil {
		return stored.DeepCopyObject().(object)
	}
	if stored != nil {
		next.SetResourceVersion(versionOf(stored))
	}
	return next
}

// wake lets those go on who wait for a change. The caller holds s.mu.
func (s *store) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// report tells the observers of the commits, in order and one at a time.
func (s *store) report() {
	for {
		s.mu.Lock()
		if s.reporting || len(s.unreported) == 0 {
			s.mu.Unlock()
			return
		}
		next := s.unreported[0]
		s.unreported = s.unreported[1:]
		s.reporting = true
		observers := slices.Clone(s.observers)
		s.mu.Unlock()
		for _, observe := range observers {
			observe(next.write.copied())
		}
		s.mu.Lock()
		s.reporting = false
		s.mu.Unlock()
		close(next.done)
	}
}
