package lease

import (
	"math"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/hotseat-go/hotseat/internal/elapsed"
)

// Clock and Instant measure this machine's elapsed time, suspended time
// included; the zero Clock is the machine's. See internal/elapsed.
type (
	Clock   = elapsed.Clock
	Instant = elapsed.Instant
)

// Observation is one look at the Lease.
type Observation struct {
	Record Record
	// Asked is when the look was sent, At when its answer had arrived. For a
	// watch event both are its arrival.
	Asked, At Instant
	// ResourceVersion of the store at the look: the List's or the event's.
	ResourceVersion string
	// Listed says that it is a linearizable LIST's answer and not a watch
	// event, which may be old.
	Listed bool
}

// View is what one process knows of a Lease from everything it observed: the
// last observation, and until when an earlier holder may still be at work. It
// is an immutable value; the zero View knows nothing.
type View struct {
	known   bool
	last    Observation
	doubted bool // a List is needed before anything is done on last
	since   Instant
	owed    time.Duration // how long after since the claims seen so far may last
	written time.Duration // the longest an elector wrote for one of them
	hidden  Instant       // until when one may last that something unexplained covered up
	hider   string        // the term of that one, if it is known: its release ends it
	epoch   int64
	term    string // that epoch was seen with first
}

// Known reports whether anything was observed yet.
func (v View) Known() bool { return v.known }

// Last is the last observation taken in; zero if there was none.
func (v View) Last() Observation { return v.last }

// Record is the last one observed.
func (v View) Record() Record { return v.last.Record }

// Epoch is the highest fencing epoch ever observed.
func (v View) Epoch() int64 { return v.epoch }

// FreeAt is when every claim observed so far has run out on this machine's
// clock. It may be in the past.
func (v View) FreeAt() Instant { return later(v.since.Add(v.owed), v.hidden) }

func later(a, b Instant) Instant {
	if b.After(a) {
		return b
	}
	return a
}

// Doubt returns the view for which only a List will do: a compare-and-swap on
// its record failed.
func (v View) Doubt() View {
	v.doubted = true
	return v
}

// Observe returns the view after o. leaseDuration is our own, used where no
// holder's is written.
//
// What is provably not newer than the last observation is dropped; an event of
// which neither can be told casts doubt, for a List to settle.
//
// A changed record proves that earlier holders are out only if the last one
// itself released it, or a greater epoch took over by these same rules. Any
// other change (an edit, a deletion, another elector's write) may have happened
// under a holder that is cut off and still at work, seen by us or not: a whole
// lease counts from now, because its last renewal may be as young as the change.
// Nothing but the end of that lease, or a release by the very term that was covered
// up, ends the wait: whoever takes over meanwhile may be a process that knew nothing
// of it. A duration shorter than our own is not believed either: it may be an edit.
func (v View) Observe(o Observation, leaseDuration time.Duration) View {
	if v.known {
		order, err := resourceversion.CompareResourceVersion(o.ResourceVersion, v.last.ResourceVersion)
		switch {
		case o.Listed && o.Asked.After(v.last.At): // newer whatever its version: the store may have been restored
		case err != nil && !o.Listed:
			return v.Doubt()
		case err == nil && (order < 0 || order == 0 && !o.Listed):
			return v
		}
	}
	next := v
	next.known, next.last, next.doubted = true, o, false
	// The last number is not remembered: written by hand, it can be taken back.
	if epoch, err := o.Record.Epoch(); err == nil && epoch > v.epoch && epoch < math.MaxInt64 {
		next.epoch, next.term = epoch, o.Record.Term()
	}
	if v.known && o.Record.sameClaim(v.Record()) {
		return next
	}
	r := o.Record
	next.since = o.At
	next.owed, next.written = max(leaseDuration, r.Duration()), r.Duration()
	switch v.change(o) {
	case givenUp:
		next.owed, next.written = 0, 0
		if v.hider != "" && v.hider == r.Term() {
			next.hidden = Instant{}
		}
	case cleared:
		next.owed, next.written = r.Duration(), 0
	case explained: // by one who may not have seen what we saw covered up
	case unproven:
		if next.hider = v.term; v.hider != v.term && v.hidden.After(o.At) {
			next.hider = "" // two of them
		}
		next.hidden = later(v.hidden, o.At.Add(max(leaseDuration, v.written)))
		if !v.moved(r) { // written by hand
			next.written = 0
		}
		next.written = max(next.written, v.written)
	}
	return next
}

// moved reports whether r has another time than the last record: edits by hand
// leave it alone.
func (v View) moved(r Record) bool { return !r.RenewTime().Equal(v.Record().RenewTime()) }

// change is what an observation says of the claims before it.
type change int

const (
	unproven  change = iota // may hide one that still lasts
	explained               // prolonged, or taken when all had run out that the taker had seen
	givenUp                 // released by its holder, or never held
	cleared                 // another elector's, by its release
)

func (v View) change(o Observation) change {
	r := o.Record
	before := v.Record()
	order, err := resourceversion.CompareResourceVersion(r.ResourceVersion(), v.last.ResourceVersion)
	epoch, _ := r.Epoch()
	restored := v.known && r.Exists() && err == nil && order <= 0 ||
		epoch > 0 && (epoch < v.epoch || epoch == v.epoch && r.Term() != v.term)
	token, fenced := r.Token()
	_, oursBefore := before.Token()
	moved := v.moved(r)
	same := r.UID() == before.UID()
	switch {
	case restored: // the store, or this Lease, went back in time: it proves nothing
		return unproven
	case r.Released(), r.untouched() && !v.known:
		return givenUp
	case r.foreignRelease() && moved && before.Holder() != "" && !oursBefore && epoch <= v.epoch:
		// Edits can give it that shape too; and client-go's release clears
		// whoever holds the Lease by then, also a term that we were not shown,
		// whose epoch it leaves there.
		return cleared
	case fenced && token.Epoch > v.epoch, // taken over by our rules, or seen for the first time
		moved && r.Holder() != "" && r.Holder() == before.Holder() && same,                 // prolonged by its holder
		moved && r.Holder() != "" && same && epoch <= v.epoch && o.At.Sub(v.FreeAt()) >= 0: // taken by another elector
		return explained
	}
	return unproven
}
