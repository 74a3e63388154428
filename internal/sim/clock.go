package sim

import (
	"encoding/json"
	"strings"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/lease"
)

// A bubble has one clock. A node's own one, which runs at another rate or shows
// another time of day, is a change of units at its wire, the same in both
// directions: what the process computes from what it reads and from its clock is
// what it would on such a machine.

// A wall clock that stops, or runs backwards, is read by hotseat itself
// (chance.Wall); client-go's elector reads the bubble's, and what it writes is
// translated.

// wall is a node's wall clock.
type wall struct {
	began time.Time // of the world
	skew  time.Duration
	stops []Fault
	reads bool // the process reads it itself
}

func newWall(p Plan, node int, began time.Time) wall {
	w := wall{began: began, skew: p.Nodes[node].Skew, reads: p.Nodes[node].Elector == Hotseat}
	for _, f := range p.Faults {
		if f.Kind == StoppedClock && (f.Node == node || f.Node < 0) {
			w.stops = append(w.stops, f)
		}
	}
	return w
}

// shown is a time on the Lease as the node's clock would have it.
func (w wall) shown(t time.Time) time.Time { return t.Add(-w.skew) }

// written is a time that the process writes as it stands on the Lease.
func (w wall) written(t time.Time) time.Time {
	if !w.reads {
		t = w.read(t)
	}
	return t.Add(w.skew)
}

// read is what the clock shows at t.
func (w wall) read(t time.Time) time.Time {
	for _, f := range w.stops {
		at := w.began.Add(f.At)
		if past := t.Sub(at); past > 0 && past <= f.For {
			return at.Add(-time.Duration(f.N) * past)
		}
	}
	return t
}

// translated reports whether a node's units are others than the bubble's.
func (n *node) translated() bool {
	return n.Fast || n.wall.skew != 0 || len(n.wall.stops) > 0 && !n.wall.reads
}

// inward is a Lease as the process reads it; it may keep it.
func (p *process) inward(l *coordv1.Lease) *coordv1.Lease {
	l = l.DeepCopy()
	if !p.node.translated() {
		return l
	}
	move(l, p.node.wall.shown)
	if d := l.Spec.LeaseDurationSeconds; d != nil && p.node.Fast {
		full, fast := p.rates()
		*d = (*d*fast + full - 1) / full // never shorter than it is
	}
	return l
}

// outward is a Lease as the process's wire carries it.
func (p *process) outward(l *coordv1.Lease) *coordv1.Lease {
	l = l.DeepCopy()
	if !p.node.translated() {
		return l
	}
	move(l, p.node.wall.written)
	if d := l.Spec.LeaseDurationSeconds; d != nil && p.node.Fast {
		full, fast := p.rates()
		*d = *d * full / fast // what inward made of it, back
	}
	return l
}

// rates are LeaseDuration on a clock of rate 1 and on the fast one.
func (p *process) rates() (full, fast int32) {
	return int32(p.world.plan.Timing.LeaseDuration / time.Second), int32(p.world.plan.FastLease / time.Second)
}

// move changes the wall-clock times on a Lease.
func move(l *coordv1.Lease, by func(time.Time) time.Time) {
	for _, t := range []*metav1.MicroTime{l.Spec.AcquireTime, l.Spec.RenewTime} {
		if t != nil {
			t.Time = by(t.Time)
		}
	}
	// A release's mark repeats its renewTime; it may go on with the version it
	// replaced: "<time> after <version>".
	mark, after, more := strings.Cut(l.Annotations[lease.AnnotationReleased], " ")
	if t, err := time.Parse(metav1.RFC3339Micro, mark); err == nil {
		mark = by(t).UTC().Format(metav1.RFC3339Micro)
		if more {
			mark += " " + after
		}
		l.Annotations[lease.AnnotationReleased] = mark
	}
}

// outwardPatch is a JSON patch as the process's wire carries it: what it tests
// and writes is in the units of the node's clock.
func (p *process) outwardPatch(data []byte) []byte {
	var steps []operation
	if !p.node.translated() || json.Unmarshal(data, &steps) != nil {
		return data
	}
	for i, s := range steps {
		if len(s.Value) > 0 {
			steps[i].Value = p.outwardValue(s.Path, s.Value)
		}
	}
	out, err := json.Marshal(steps)
	if err != nil {
		return data
	}
	return out
}

// outwardValue is what one step of a patch tests or writes.
func (p *process) outwardValue(path string, value json.RawMessage) json.RawMessage {
	l := &coordv1.Lease{}
	if path == releasedPath {
		var mark *string
		if json.Unmarshal(value, &mark) != nil || mark == nil {
			return value
		}
		l.Annotations = map[string]string{lease.AnnotationReleased: *mark}
		return encoded(p.outward(l).Annotations[lease.AnnotationReleased], value)
	}
	if field := leaseField(l, path); field == nil || json.Unmarshal(value, field) != nil {
		return value
	}
	return encoded(leaseField(p.outward(l), path), value)
}

// releasedPath is that of a release's mark, as RFC 6901 writes it.
const releasedPath = "/metadata/annotations/hotseat-go.github.io~1fencing-released"

// leaseField is what a path points to, where clocks matter in it.
func leaseField(l *coordv1.Lease, path string) any {
	switch path {
	case "/spec":
		return &l.Spec
	case "/spec/acquireTime":
		return &l.Spec.AcquireTime
	case "/spec/renewTime":
		return &l.Spec.RenewTime
	case "/spec/leaseDurationSeconds":
		return &l.Spec.LeaseDurationSeconds
	case "/metadata/annotations":
		return &l.Annotations
	}
	return nil
}

func encoded(field any, otherwise json.RawMessage) json.RawMessage {
	if out, err := json.Marshal(field); err == nil {
		return out
	}
	return otherwise
}
