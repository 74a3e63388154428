package sim

import "time"

// afflicted reports whether a fault of that kind is on a node now.
func (w *world) afflicted(node int, k Kind) bool { return w.affliction(node, k) != nil }

// affliction is the first such fault, nil if there is none.
func (w *world) affliction(node int, k Kind) *Fault {
	for i, f := range w.active {
		if f.Kind == k && (f.Node == node || f.Node < 0) {
			return &w.active[i]
		}
	}
	return nil
}

// strikes reports whether a fault that hits a share of messages hits this one.
func (w *world) strikes(node int, k Kind) bool {
	if w.rng.Int64N(100) >= w.share(node, k) {
		return false
	}
	w.hit(k)
	return true
}

// share is the N of a fault that is on a node, in percent.
func (w *world) share(node int, k Kind) int64 {
	if f := w.affliction(node, k); f != nil {
		return f.N
	}
	return 0
}

// lost reports whether a fault takes a message away.
func (w *world) lost(node int, k Kind) bool {
	if !w.afflicted(node, k) {
		return false
	}
	w.hit(k)
	return true
}

// cut reports whether a node has no connection, and counts it.
func (w *world) cut(node int) bool { return w.lost(node, Cut) || w.afflicted(node, Reship) }

// hit counts that a fault had its effect; the empty one is none.
func (w *world) hit(k Kind) {
	if k != "" {
		w.struck[k]++
	}
}

// delay of a message by faults of a kind.
func (w *world) delay(node int, k Kind) time.Duration {
	if f := w.affliction(node, k); f != nil {
		return time.Duration(f.N) * time.Millisecond
	}
	return 0
}

func (w *world) latency() time.Duration {
	if w.steps >= maxSteps {
		return brake
	}
	if w.plan.Latency == 0 {
		return 0
	}
	return upTo(w.rng, w.plan.Latency).Round(time.Millisecond) // whole milliseconds, so that messages meet
}
