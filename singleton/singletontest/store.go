package singletontest

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// maxLog is how many changes a watch may lie behind before it gets 410 Gone.
const maxLog = 10_000

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

// change is one commit: a create (old is nil), an update or a delete (new is nil).
type change struct {
	rev      int64
	key      key
	old, new object
}

// writer says who writes, for observers, and whether it is only a dry run.
type writer struct {
	user, verb string
	dryRun     bool
}

// store is a small etcd: objects under one revision counter, and the log of
// changes that watches read. Objects handed out are shared: copy before editing.
type store struct {
	mu        sync.Mutex
	rev       int64
	compacted int64 // watches may start, and lists be exact, at this revision or later
	trimmed   int64 // the log has every change after this revision
	objects   map[key]entry
	log       []change
	changed   chan struct{} // closed and replaced at every change

	observers  []func(Write)
	unreported []report
	reporting  bool
}

type report struct {
	write Write
	done  chan struct{}
}

func newStore() *store {
	return &store{rev: 1, compacted: 1, trimmed: 1, objects: map[key]entry{}, changed: make(chan struct{})}
}

func (s *store) get(k key) object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects[k].obj
}

// list returns the objects of a resource in a namespace (all if empty), ordered
// by namespace and name, as of revision at (0 is now), and that revision.
func (s *store) list(res *resource, namespace string, at int64) ([]object, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at == 0 {
		at = s.rev
	}
	if at < s.compacted {
		return nil, 0, apierrors.NewResourceExpired("The resourceVersion for the provided list is too old.")
	}
	objects := make(map[key]object, len(s.objects))
	for k, e := range s.objects {
		objects[k] = e.obj
	}
	for _, c := range slices.Backward(s.log) {
		if c.rev <= at {
			break
		}
		if c.old == nil {
			delete(objects, c.key)
		} else {
			objects[c.key] = c.old
		}
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

func (s *store) revision() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rev
}

// startable tells whether a watch may start after revision rev.
func (s *store) startable(rev int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rev < s.compacted {
		return apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", rev, s.compacted))
	}
	return nil
}

// since returns the changes after rev, the revision up to which they reach, and
// a channel that is closed at the next change.
func (s *store) since(rev int64) (changes []change, head int64, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rev < s.trimmed {
		return nil, 0, nil, apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", rev, s.trimmed))
	}
	i := sort.Search(len(s.log), func(i int) bool { return s.log[i].rev > rev })
	return s.log[i:], max(rev, s.rev), s.changed, nil
}

// update replaces the object at k by what edit makes of it: nil deletes it, an
// unchanged object changes nothing. edit gets nil for a missing object, must not
// change what it gets, and runs again when another writer came between; no lock
// is held meanwhile. The result is the stored object (for a delete: the last one,
// at the revision of the delete).
func (s *store) update(k key, w writer, edit func(cur object) (object, error)) (object, error) {
	for {
		s.mu.Lock()
		cur := s.objects[k]
		s.mu.Unlock()
		next, err := edit(cur.obj)
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

// commit stores next at k if cur is still there. done is nil when nothing changed.
func (s *store) commit(k key, w writer, cur, next entry) (out object, done chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects[k].obj != cur.obj {
		return nil, nil, false
	}
	if cur.obj == nil && next.obj == nil {
		return nil, nil, true
	}
	if cur.obj != nil && next.obj != nil && bytes.Equal(cur.data, next.data) {
		return cur.obj, nil, true
	}
	rev := s.rev + 1
	if out = next.obj; out == nil {
		out = cur.obj.DeepCopyObject().(object)
	}
	if w.dryRun {
		if cur.obj != nil {
			out.SetResourceVersion(cur.obj.GetResourceVersion())
		}
		return out, nil, true
	}
	out.SetResourceVersion(strconv.FormatInt(rev, 10))
	s.rev = rev
	if next.obj != nil {
		s.objects[k] = next
	} else {
		delete(s.objects, k)
	}
	write := Write{Time: time.Now(), User: w.user, Verb: w.verb, Resource: k.res.Resource, Revision: rev}
	if cur.obj != nil {
		write.Old = cur.obj
	}
	if next.obj != nil {
		write.New = next.obj
	}
	s.log = append(s.log, change{rev: rev, key: k, old: cur.obj, new: next.obj})
	if len(s.log) > 2*maxLog {
		s.trimmed = s.log[maxLog-1].rev
		s.compacted = max(s.compacted, s.trimmed)
		s.log = slices.Clone(s.log[maxLog:])
	}
	done = make(chan struct{})
	s.unreported = append(s.unreported, report{write, done})
	close(s.changed)
	s.changed = make(chan struct{})
	return out, done, true
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
