package singletontest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// key names one stored object.
type key struct {
	res             *resource
	namespace, name string
}

// entry is one stored object; it is never changed in place.
type entry struct {
	obj  object
	data []byte // encoded, without resourceVersion: two equal ones are no change
}

// version is the object's resourceVersion, empty if there is none.
func (e entry) version() string {
	if e.obj == nil {
		return ""
	}
	return e.obj.GetResourceVersion()
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
	history               // what is stored
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
	return &store{
		history: history{rev: 1, compacted: 1, forgotten: 1, trimmed: 1, objects: map[key]entry{}},
		changed: make(chan struct{}),
	}
}

// get returns what is at k in the store itself if stored, else in what is shown.
func (s *store) get(k key, stored bool) entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view(stored).objects[k]
}

// view is the store itself if stored, else what is shown. The caller holds s.mu.
func (s *store) view(stored bool) *history {
	if stored || s.cache == nil {
		return &s.history
	}
	return s.cache
}

// cached returns what is at k in the cache, if there is one and it has something.
func (s *store) cached(k key) (entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cache == nil {
		return entry{}, false
	}
	e, ok := s.cache.objects[k]
	return e, ok
}

// list is [history.list] of the store itself if stored, else of what is shown.
func (s *store) list(res *resource, namespace string, at int64, stored bool) ([]object, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view(stored).list(res, namespace, at)
}

// revision is that of the store itself if stored, else of what is shown.
func (s *store) revision(stored bool) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view(stored).rev
}

// startable tells whether a watch may start after revision rev.
func (s *store) startable(rev int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view(false).startable(rev)
}

// since returns the changes after rev, the revision up to which they reach, and
// a channel that is closed at the next change.
func (s *store) since(rev int64) (changes []change, head int64, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changes, head, err = s.view(false).since(rev)
	return changes, head, s.changed, err
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
	cur, guess := s.cached(k)
	guess = guess && w.verb != ""
	for {
		stored := s.get(k, true)
		if !guess {
			cur = stored
		}
		next, err := edit(cur.obj)
		if err != nil && guess && cur.version() != stored.version() {
			guess = false
			continue
		}
		guess = false
		if err != nil {
			return nil, err
		}
		var data []byte
		if next != nil {
			if next, data, err = normalize(k.res, next); err != nil {
				return nil, err
			}
		}
		out, done, ok := s.commit(k, w, cur, entry{obj: next, data: data})
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
func (s *store) commit(k key, w writer, cur, next entry) (out object, done chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored := s.objects[k]
	if stored.version() != cur.version() {
		return nil, nil, false
	}
	if stored.obj == nil && next.obj == nil {
		return nil, nil, true
	}
	if cur.obj != nil && next.obj != nil && bytes.Equal(cur.data, next.data) {
		return stored.obj, nil, bytes.Equal(stored.data, next.data)
	}
	rev := s.rev + 1
	if out = next.obj; out == nil {
		out = stored.obj.DeepCopyObject().(object)
	}
	if w.dryRun {
		if stored.obj != nil {
			out.SetResourceVersion(stored.version())
		}
		return out, nil, true
	}
	out.SetResourceVersion(strconv.FormatInt(rev, 10))
	s.apply(rev, k, next)
	if s.cache != nil && rev > s.cache.rev {
		s.cache.apply(rev, k, next)
	}
	write := Write{Time: time.Now(), User: w.user, Verb: w.verb, Resource: k.res.Resource, Revision: rev}
	if stored.obj != nil {
		write.Old = stored.obj
	}
	if next.obj != nil {
		write.New = next.obj
	}
	done = make(chan struct{})
	s.unreported = append(s.unreported, report{write, done})
	s.wake()
	return out, done, true
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

// normalize passes an object through its stored encoding, as etcd does: times
// lose what is finer than the format, TypeMeta and empty maps go.
func normalize(res *resource, o object) (object, []byte, error) {
	c := o.DeepCopyObject().(object)
	c.SetResourceVersion("")
	data, err := c.Marshal()
	if err != nil {
		return nil, nil, fmt.Errorf("encode %s: %w", res.kind, err)
	}
	out := res.newItem()
	if err := out.Unmarshal(data); err != nil {
		return nil, nil, fmt.Errorf("decode %s: %w", res.kind, err)
	}
	return out, data, nil
}
