package singletontest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// maxLog is how many changes a watch may lie behind before it gets 410 Gone.
const maxLog = 10_000

// change is one commit: a create (old is nil), an update or a delete (new is nil).
type change struct {
	rev      int64
	key      key
	old, new object
}

// history is objects at a revision, and how they came to be so.
type history struct {
	rev       int64
	compacted int64 // watches may start at this revision or later
	forgotten int64 // lists may be exact at this revision or later
	trimmed   int64 // a watch is shown every change after this revision
	objects   map[key]entry
	log       []change
}

// apply stores next at k, or deletes what is there if next is nothing.
func (h *history) apply(rev int64, k key, next entry) {
	old := h.objects[k].obj
	h.rev = rev
	if next.obj != nil {
		h.objects[k] = next
	} else {
		delete(h.objects, k)
	}
	if old == nil && next.obj == nil {
		return // deleted, and never shown
	}
	h.log = append(h.log, change{rev: rev, key: k, old: old, new: next.obj})
	if len(h.log) > 2*maxLog {
		gone := h.log[maxLog-1].rev
		h.trimmed, h.compacted, h.forgotten = max(h.trimmed, gone), max(h.compacted, gone), max(h.forgotten, gone)
		h.log = slices.Clone(h.log[maxLog:])
	}
}

// list returns the objects of a resource in a namespace (all if empty), ordered
// by namespace and name, as of revision at (0 is now), and that revision.
func (h *history) list(res *resource, namespace string, at int64) ([]object, int64, error) {
	if at == 0 {
		at = h.rev
	}
	if at < h.forgotten {
		return nil, 0, apierrors.NewResourceExpired("The resourceVersion for the provided list is too old.")
	}
	objects := make(map[key]object, len(h.objects))
	for k, e := range h.objects {
		objects[k] = e.obj
	}
	for _, c := range slices.Backward(h.log) {
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

func (h *history) forget() { h.compacted, h.forgotten = h.rev, h.rev }

// startable tells whether a watch may start after revision rev.
func (h *history) startable(rev int64) error {
	if rev < h.compacted {
		return apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", rev, h.compacted))
	}
	return nil
}

// since returns the changes after rev and the revision up to which they reach.
func (h *history) since(rev int64) (changes []change, head int64, err error) {
	if rev < h.trimmed {
		return nil, 0, apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", rev, h.trimmed))
	}
	i := sort.Search(len(h.log), func(i int) bool { return h.log[i].rev > rev })
	return h.log[i:], max(rev, h.rev), nil
}
