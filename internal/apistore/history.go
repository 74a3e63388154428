package apistore

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// maxLog is how many changes a watch may lie behind before it gets 410 Gone.
const maxLog = 10_000

// revisionBump is what etcd's documentation advises for --bump-revision.
const revisionBump = 1_000_000_000

// Object is what a history keeps: a pointer to an API object, or an interface of such. The zero value
// stands for none.
type Object interface {
	comparable
	runtime.Object
	metav1.Object
}

// Change is one commit: a create (Old is none), an update or a delete (New is none).
type Change[K comparable, V Object] struct {
	Revision int64
	Key      K
	Old, New V
}

// Gone is the object that a delete removed, as watches are told of it: at the revision of the delete.
func (c Change[K, V]) Gone() V {
	gone := c.Old.DeepCopyObject().(V)
	gone.SetResourceVersion(format(c.Revision))
	return gone
}

// History is objects at a revision, and how they came to be so. What it keeps and hands out is shared:
// copy before editing. It is not safe for concurrent use.
type History[K comparable, V Object] struct {
	head      int64
	compacted int64 // watches may start at this revision or later
	forgotten int64 // the past may be read at this revision or later
	trimmed   int64 // a watch is shown every change after this revision
	objects   map[K]V
	log       []Change[K, V]
}

// New is the history of an empty store, at revision 1.
func New[K comparable, V Object]() *History[K, V] {
	return &History[K, V]{head: 1, compacted: 1, forgotten: 1, trimmed: 1, objects: map[K]V{}}
}

// Head is the revision of the last commit.
func (h *History[K, V]) Head() int64 { return h.head }

// Compacted is the revision from which on watches may start.
func (h *History[K, V]) Compacted() int64 { return h.compacted }

// Get returns what is at k.
func (h *History[K, V]) Get(k K) V { return h.objects[k] }

// Commit stores next at k under the next revision, which becomes its version, or deletes what is there
// if next is none.
func (h *History[K, V]) Commit(k K, next V) Change[K, V] {
	c := Change[K, V]{Revision: h.head + 1, Key: k, Old: h.objects[k], New: next}
	var none V
	if next != none {
		next.SetResourceVersion(format(c.Revision))
	}
	h.Follow(c)
	return c
}

// Follow takes in the change of another history. Over what is kept here it may be another change: a
// create may be an update, and a delete nothing.
func (h *History[K, V]) Follow(c Change[K, V]) {
	var none V
	h.head, c.Old = c.Revision, h.objects[c.Key]
	if c.New != none {
		h.objects[c.Key] = c.New
	} else {
		delete(h.objects, c.Key)
	}
	if c.Old == none && c.New == none {
		return
	}
	h.log = append(h.log, c)
	if len(h.log) > 2*maxLog {
		gone := h.log[maxLog-1].Revision
		h.trimmed, h.compacted, h.forgotten = max(h.trimmed, gone), max(h.compacted, gone), max(h.forgotten, gone)
		h.log = slices.Clone(h.log[maxLog:])
	}
}

// At returns the objects as they were at exactly that revision, which is not after Head. It is 410 Gone
// when that is forgotten.
func (h *History[K, V]) At(revision int64) (map[K]V, error) {
	if revision < h.forgotten {
		return nil, apierrors.NewResourceExpired("The resourceVersion for the provided list is too old.")
	}
	var none V
	objects := maps.Clone(h.objects)
	for _, c := range slices.Backward(h.log) {
		if c.Revision <= revision {
			break
		}
		if c.Old == none {
			delete(objects, c.Key)
		} else {
			objects[c.Key] = c.Old
		}
	}
	return objects, nil
}

// Startable reports, by 410 Gone, when a watch may not start after that revision.
func (h *History[K, V]) Startable(revision int64) error {
	if revision < h.compacted {
		return tooOld(revision, h.compacted)
	}
	return nil
}

// Since returns the changes after that revision. It is 410 Gone when they are not all kept; a
// compaction alone drops none, so that open watches go on.
func (h *History[K, V]) Since(revision int64) ([]Change[K, V], error) {
	if revision < h.trimmed {
		return nil, tooOld(revision, h.trimmed)
	}
	i := sort.Search(len(h.log), func(i int) bool { return h.log[i].Revision > revision })
	return h.log[i:], nil
}

// Compact forgets the past.
func (h *History[K, V]) Compact() { h.compacted, h.forgotten = h.head, h.head }

// Clone is a copy that shares the objects: a backup.
func (h *History[K, V]) Clone() *History[K, V] {
	c := *h
	c.objects, c.log = maps.Clone(h.objects), slices.Clone(h.log)
	return &c
}

// Restored is what a backup becomes when it is put back. Objects keep their versions, and watches start
// from now. Without a bump, the revision goes back with the backup, and the past can be read as far back
// as it could. With one, the revision is far ahead of the backup's, and the past is forgotten (etcdutl
// --bump-revision --mark-compacted).
func (h *History[K, V]) Restored(bump bool) *History[K, V] {
	c := h.Clone()
	if bump {
		c.head += revisionBump
		c.log, c.forgotten = nil, c.head
	}
	c.compacted, c.trimmed = c.head, c.head
	return c
}

func tooOld(revision, oldest int64) error {
	return apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", revision, oldest))
}

func format(revision int64) string { return strconv.FormatInt(revision, 10) }
