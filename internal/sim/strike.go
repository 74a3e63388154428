package sim

import (
	"slices"
	"time"

	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/protocol"
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
		if f.Kind == Restore || f.Kind == Bumped || f.Kind == StaleCache {
			w.in(f.backupAt(), -1, "", func() { w.backups = append(w.backups, dated{f.backupAt(), w.store.revision(), w.store.backup()}) })
		}
	}
}

func (f Fault) backupAt() time.Duration { return max(0, f.At-time.Duration(f.N)*time.Millisecond) }

// strike has a fault happen, and end when its time is over.
func (w *world) strike(f Fault) {
	if f.Kind == RefuseOnce && f.Node < 0 { // one of each
		for i := range w.nodes {
			f.Node = i
			w.strike(f)
		}
		return
	}
	w.check.tell(f.Node, "FAULT "+f.String())
	if f.For > 0 {
		w.active = append(w.active, f)
		w.in(f.For, -1, "", func() { w.relent(f) })
	}
	switch f.Kind {
	case Cut:
		w.endWatches(f.Node, nil, Cut)
	case Restart:
		w.store.restart()
		w.endWatches(-1, nil, Restart)
	case Reship:
		w.endWatches(f.Node, nil, "")
		w.reships(f)
	case EndWatches:
		w.endWatches(f.Node, nil, EndWatches)
	case ExpireWatches:
		w.endWatches(f.Node, expired(w.store.revision()), ExpireWatches)
	case Compact:
		w.store.compact()
	case Restore, Bumped, StaleCache:
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
	case Wedge:
		w.setUntil(&w.nodes[f.Node].wedgedUntil, f.For)
		if f.N == 1 {
			w.setUntil(&w.nodes[f.Node].overrunUntil, f.For)
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
	case StaleCache: // as README asks for
		w.store.restart()
		w.endWatches(-1, nil, "")
	}
}

func (w *world) restore(f Fault) {
	for _, b := range w.backups {
		if b.at == f.backupAt() {
			if w.store.revision() > b.revision && f.Kind != StaleCache {
				w.hit(f.Kind)
			}
			w.farthest = max(w.farthest, w.store.revision())
			undone, err := w.store.get()
			if err != nil {
				undone = &coordv1.Lease{}
			}
			if f.Kind == StaleCache {
				w.store.restoreBelow(b.backup)
			} else {
				w.store.restart()
				w.store.restore(b.backup, f.Kind == Bumped)
				w.endWatches(-1, nil, f.Kind)
			}
			l, err := w.store.get()
			w.check.rewind(w.store.revision() > w.farthest, err == nil && (protocol.NewRecord(l).Holder() == "" || w.plan.Evidence), undone.ResourceVersion)
			return
		}
	}
}
