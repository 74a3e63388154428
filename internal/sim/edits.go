package sim

import (
	"maps"
	"strconv"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

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
	if f.Kind == PutBack || f.Kind == Replace {
		w.putBack(f)
		return
	}
	_ = w.store.edit(func(l *coordv1.Lease) {
		if l.Annotations == nil {
			l.Annotations = map[string]string{}
		}
		now := metav1.NewMicroTime(time.Now().Truncate(time.Microsecond))
		epoch, _ := protocol.NewRecord(l).Epoch()
		switch f.Kind {
		case Label:
			l.Labels = map[string]string{"touched": strconv.FormatInt(int64(w.now()), 10)}
		case Foreign:
			l.Spec.HolderIdentity, l.Spec.RenewTime = new("intruder"), &now
		case Clear:
			l.Spec.HolderIdentity = new("")
		case Name:
			l.Annotations[lease.AnnotationSuccessor] = w.successor(f.N)
		case Tamper:
			tamper(l, f.N)
		case RaiseEpoch:
			l.Annotations[lease.AnnotationEpoch] = strconv.FormatInt(epoch+f.N, 10)
		case Lower:
			l.Annotations[lease.AnnotationEpoch] = "1"
		case Shorten:
			l.Spec.LeaseDurationSeconds = new(int32(f.N))
		}
	})
}

// successor is a replica's name or, for one in six, a name or an identity that nobody has.
func (w *world) successor(n int64) string {
	switch p := w.nodes[int(n)%len(w.nodes)].process; {
	case n == 11:
		return "nobody_0123456789abcdef"
	case n == 10, p == nil:
		return "nobody"
	default:
		return p.name
	}
}

// answers reports whether a change is the answer of a replica that is named as the successor: it
// writes its identity in the name's place, and changes nothing else.
func answers(c change, identity string) bool {
	was, is := c.old.DeepCopy(), c.new.DeepCopy()
	if lease.RecordOf(was).Successor() == "" || is.Annotations[lease.AnnotationSuccessor] != identity {
		return false
	}
	delete(was.Annotations, lease.AnnotationSuccessor)
	delete(is.Annotations, lease.AnnotationSuccessor)
	return equality.Semantic.DeepEqual(was.Spec, is.Spec) && maps.Equal(was.Annotations, is.Annotations) &&
		maps.Equal(was.Labels, is.Labels)
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

// manifest is the Lease as it is shipped.
func manifest() *coordv1.Lease {
	return &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: leaseName}}
}

// putBack makes the Lease what it was before, or what the manifest says.
func (w *world) putBack(f Fault) {
	from := manifest()
	if f.Kind == PutBack {
		from = w.bodies.pick(f.N)
	}
	_ = w.store.edit(func(l *coordv1.Lease) {
		l.Spec, l.Annotations, l.Labels = *from.Spec.DeepCopy(), maps.Clone(from.Annotations), maps.Clone(from.Labels)
	})
}

// reship deletes the Lease and creates it from the manifest.
func (w *world) reship() {
	before := w.store.revision()
	w.store.remove()
	if _, err := w.store.create(manifest()); err != nil {
		return // somebody else's is there
	}
	w.check.reshipped()
	if w.store.revision() > before {
		w.hit(Reship)
	}
}

// reships has it done f.N times while f lasts.
func (w *world) reships(f Fault) {
	for i := range f.N {
		w.in(f.For*time.Duration(i+1)/time.Duration(f.N+1), -1, "", w.reship)
	}
}

// bodies are what the Lease ever was.
type bodies struct {
	all   []*coordv1.Lease
	turns []*coordv1.Lease // before and after each change of hands
}

func (b *bodies) add(c change) {
	if c.new == nil {
		return
	}
	if c.old == nil || protocol.NewRecord(c.old).Term() != protocol.NewRecord(c.new).Term() || protocol.NewRecord(c.old).Holder() != protocol.NewRecord(c.new).Holder() {
		if c.old != nil {
			b.turns = append(b.turns, c.old)
		}
		b.turns = append(b.turns, c.new)
	}
	b.all = append(b.all, c.new)
}

// pick is the n/2th from the last, of all or, if n is even, of those at a change
// of hands, which are few.
func (b *bodies) pick(n int64) *coordv1.Lease {
	from := b.all
	if n%2 == 0 {
		from = b.turns
	}
	if len(from) == 0 {
		return manifest()
	}
	return from[len(from)-1-int(n/2)%len(from)]
}
