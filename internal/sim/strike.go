package sim

import (
	"slices"
	"strconv"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// dated is a backup and when it was taken.
type dated struct {
	at       time.Duration
	revision int64
	backup   any
}

// schedule puts the plan's faults, and the backups that some of them need, on
// the calendar.
func (w *world) schedule() {
	for _, f := range w.plan.Faults {
		w.in(f.At, -1, "", func() { w.strike(f) })
		if f.Kind == Restore || f.Kind == Bumped {
			w.in(f.backupAt(), -1, "", func() { w.backups = append(w.backups, dated{f.backupAt(), w.store.revision(), w.store.backup()}) })
		}
	}
}

func (f Fault) backupAt() time.Duration { return max(0, f.At-time.Duration(f.N)*time.Millisecond) }

// strike has a fault happen, and end when its time is over.
func (w *world) strike(f Fault) {
	w.check.tell(f.Node, "FAULT "+f.String())
	if f.For > 0 {
		w.active = append(w.active, f)
		w.in(f.For, -1, "", func() { w.relent(f) })
	}
	switch f.Kind {
	case Cut:
		w.endWatches(f.Node, nil, Cut)
	case Restart:
		w.endWatches(-1, nil, Restart)
	case EndWatches:
		w.endWatches(f.Node, nil, EndWatches)
	case ExpireWatches:
		w.endWatches(f.Node, expired(w.store.revision()), ExpireWatches)
	case Compact:
		w.store.compact()
	case Restore, Bumped:
		w.restore(f)
	case Crash:
		w.crash(w.nodes[f.Node])
	case Stop:
		w.stop(w.nodes[f.Node], time.Duration(f.N)*time.Millisecond)
	case Resign:
		w.resign(w.nodes[f.Node])
	case Overrun:
		w.setUntil(&w.nodes[f.Node].overrunUntil, f.For)
		switch f.N {
		case 1:
			w.resign(w.nodes[f.Node])
		case 2:
			w.edit(Fault{Kind: Foreign, Node: -1})
		}
	case Hooks:
		w.setUntil(&w.nodes[f.Node].hooksUntil, f.For)
	default:
		w.edit(f)
	}
}

func (w *world) setUntil(t *time.Time, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*t = time.Now().Add(d)
}

func (w *world) resign(n *node) {
	if p := n.process; p != nil && p.elector != nil {
		if p.elector.Status().State == singleton.StateActive {
			w.hit(Resign)
		}
		p.elector.Resign()
	}
}

func (w *world) relent(f Fault) {
	w.active = slices.DeleteFunc(w.active, func(other Fault) bool { return other == f })
	w.check.tell(f.Node, "over  "+string(f.Kind))
	switch f.Kind {
	case Freeze:
		w.thaw()
	case Crash:
		w.start(w.nodes[f.Node], f.N == 1)
	case Stop:
		w.start(w.nodes[f.Node], false)
	}
}

func (w *world) restore(f Fault) {
	for _, b := range w.backups {
		if b.at == f.backupAt() {
			if w.store.revision() > b.revision {
				w.hit(f.Kind)
			}
			w.farthest = max(w.farthest, w.store.revision())
			undone, err := w.store.get()
			if err != nil {
				undone = &coordv1.Lease{}
			}
			w.store.restore(b.backup, f.Kind == Bumped)
			w.endWatches(-1, nil, f.Kind)
			l, err := w.store.get()
			w.check.rewind(w.store.revision() > w.farthest, err == nil && lease.NewRecord(l).Holder() == "", undone.ResourceVersion)
			return
		}
	}
}

// edit is what somebody else does to the Lease; a missing one cannot be edited.
func (w *world) edit(f Fault) {
	defer func(before int64) {
		if w.store.revision() > before {
			w.hit(f.Kind)
		}
	}(w.store.revision())
	if f.Kind == Delete {
		w.store.remove()
		return
	}
	_ = w.store.edit(func(l *coordv1.Lease) {
		if l.Annotations == nil {
			l.Annotations = map[string]string{}
		}
		now := metav1.NewMicroTime(time.Now().Truncate(time.Microsecond))
		epoch, _ := lease.NewRecord(l).Epoch()
		switch f.Kind {
		case Label:
			l.Labels = map[string]string{"touched": strconv.FormatInt(int64(w.now()), 10)}
		case Foreign:
			l.Spec.HolderIdentity, l.Spec.RenewTime = new("intruder"), &now
		case Clear:
			l.Spec.HolderIdentity = new("")
		case Tamper:
			tamper(l, f.N)
		case Fence:
			l.Annotations[lease.AnnotationEpoch] = strconv.FormatInt(epoch+f.N, 10)
		case Lower:
			l.Annotations[lease.AnnotationEpoch] = "1"
		case Shorten:
			l.Spec.LeaseDurationSeconds = new(int32(f.N))
		}
	})
}

// tamper removes an annotation, garbles the epoch, or removes them all.
func tamper(l *coordv1.Lease, how int64) {
	switch how {
	case 0:
		delete(l.Annotations, lease.AnnotationTerm)
	case 1:
		l.Annotations[lease.AnnotationEpoch] = "a lot"
	case 2:
		delete(l.Annotations, lease.AnnotationHolder)
	default:
		l.Annotations = nil
	}
}
