package protocol

import (
	"time"

	"github.com/hotseat-go/hotseat/lease"

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
	// ResourceVersion of the look: the List's, or the object's own.
	ResourceVersion string
	// Newest is a version of the store that was seen beside the look; may be empty.
	Newest string
	// Listed says that it is a linearizable read's answer, a List's or a Get's,
	// and not a watch event, which may be old.
	Listed bool
	// Stored says that it is a Get's answer, or a write's: the store's, and no cache's.
	Stored bool
	// After is the version of the record that came right before this one, where
	// that is known: what the same watch showed last, or what a compare-and-swap
	// replaced. It tells a change from a gap.
	After string
}

// Version names what the look showed: the record's version or, if there was no
// Lease, the look's own.
func (o Observation) Version() string {
	if o.Record.Exists() {
		return o.Record.ResourceVersion()
	}
	return o.ResourceVersion
}

// View is what one process knows of a Lease from everything it observed: the
// last observation, and until when an earlier holder may still be at work. It
// is an immutable value; the zero View knows nothing.
type View struct {
	known   bool
	last    Observation
	doubted bool // a fresh read is needed before anything is done on last
	debt    debt
	proof   proof
	seat    seat
	foreign Instant // since when the holder has been seen, one without a token, in one watch
	store
	epoch int64
	term  string // that epoch was seen with first
}

// debt is until when holders may be at work that were seen, or that something
// unexplained may have covered up.
type debt struct {
	since   Instant
	owed    time.Duration // how long after since the claims seen so far may last
	written time.Duration // the longest an elector wrote for one of them
	hidden  Instant       // until when one may last that was covered up
	hider   string        // the term of that one, if it is known: its release ends it
}

func (d debt) freeAt() Instant { return later(d.since.Add(d.owed), d.hidden) }

// store is what is known of it beside the Lease.
type store struct {
	newest string // the highest version that was ever seen
	ghost  ghost
}

// ghost is what a List showed before a Get showed something else. A List that shows
// it again comes from a cache that is ahead of its store, or behind.
type ghost struct {
	version string // of the look; empty: there is none
	record  Record
}

func (g ghost) is(o Observation) bool {
	return g.version != "" && g.version == o.Version() && o.Listed && !o.Stored && o.Record.same(g.record)
}

// proof is what the record before the last one can show: that nobody is at work.
type proof struct {
	wanted bool
	then   debt // if it is shown
}

// Known reports whether anything was observed yet.
func (v *View) Known() bool { return v.known }

// Last is the last observation taken in; zero if there was none.
func (v *View) Last() Observation { return v.last }

// Record is the last one observed.
func (v *View) Record() Record { return v.last.Record }

// Epoch is the highest fencing epoch ever observed.
func (v *View) Epoch() int64 { return v.epoch }

// Newest is the highest version of the store ever observed, which a new epoch is
// not to lie below.
func (v *View) Newest() string { return v.newest }

// FreeAt is when every claim observed so far has run out on this machine's
// clock. It may be in the past.
func (v *View) FreeAt() Instant { return v.debt.freeAt() }

func later(a, b Instant) Instant {
	if b.After(a) {
		return b
	}
	return a
}

// Doubt returns the view for which only a fresh read will do.
func (v View) Doubt() View {
	v.doubted = true
	return v
}

// Outdated reports whether o is a List of what a Get has shown to be out of date.
func (v *View) Outdated(o Observation) bool { return v.ghost.is(o) }

// Observe returns the view after o. leaseDuration is our own, used where no
// holder's is written.
//
// What is provably not newer than the last observation is dropped; an event of
// which neither can be told casts doubt, for a fresh read to settle. So is a List of
// what a Get has shown to be out of date: it comes from a cache.
//
// A record makes the same claim as the last one if it is the same version of it,
// or if one watch showed it right after the last one. Across a gap it does not,
// whatever it says: an edit can put a record back over a term that was not shown.
//
// A changed record proves that earlier holders are out only if the last one
// itself released it, or a greater epoch took over by these same rules. Any
// other change (an edit, a deletion, another elector's write) may have happened
// under a holder that is cut off and still at work, seen by us or not: a whole
// lease duration counts from now, because its last renewal may be as young as the
// change. Nothing but the end of that time, or a release by the very term that was
// covered up, ends the wait: whoever takes over meanwhile may be a process that
// knew nothing of it. A duration shorter than our own is not believed either: it
// may be an edit; nor is one longer than any that an elector wrote.
func (v View) Observe(o Observation, leaseDuration time.Duration) View {
	next, _ := v.after(&o, leaseDuration)
	return next
}

// after is Observe, and reports whether o was taken for news.
func (v *View) after(o *Observation, leaseDuration time.Duration) (next View, taken bool) {
	if v.known {
		order, err := resourceversion.CompareResourceVersion(o.ResourceVersion, v.last.ResourceVersion)
		switch {
		case v.Outdated(*o):
			return *v, false
		case o.Listed && o.Asked.After(v.last.At): // newer whatever its version: the store may have been restored
		case err != nil && !o.Listed:
			return v.Doubt(), false
		case err == nil && (order < 0 || order == 0 && !o.Listed):
			return *v, false
		}
	}
	next = *v
	next.known, next.last, next.doubted = true, *o, false
	switch {
	case !o.Listed && !o.Stored: // the cache has gone on
		next.ghost = ghost{}
	case o.Listed && o.Stored && v.known && !o.Record.same(v.Record()):
		next.ghost = ghost{version: v.last.Version(), record: v.Record()}
	}
	next.newest = newest(v.newest, o.ResourceVersion, o.Newest)
	// What only a hand can have written is not remembered: it can be taken back.
	if epoch, err := o.Record.Epoch(); err == nil && epoch > v.epoch && plausible(epoch, next.newest, v.epoch) {
		next.epoch = epoch
		if next.term = o.Record.Term(); next.term == "" && o.Record.stands(v.Record()) { // it was edited
			next.term = v.term
		}
	}
	next.seat = v.seat.observe(v, o)
	next.foreign = v.foreigner(o)
	if v.known && v.follows(o) && o.Record.sameClaim(v.Record()) || v.known && !o.Record.Exists() && !v.Record().Exists() {
		return next, true
	}
	next.debt, next.proof = v.owe(o, leaseDuration)
	return next, true
}

func newest(first string, others ...string) string {
	for _, other := range others {
		if first == "" || Newer(other, first) {
			first = other
		}
	}
	return first
}

// foreigner returns since when the holder that o shows, one without a token, has been
// there as far as one watch has shown it; the zero Instant for any other. One that was
// seen to take the Lease when all claims had run out has been there long enough.
func (v *View) foreigner(o *Observation) Instant {
	r := o.Record
	if _, token := r.Token(); token || r.Holder() == "" {
		return Instant{}
	}
	if !v.foreign.IsZero() && v.follows(o) && r.Holder() == v.Record().Holder() {
		return v.foreign
	}
	if v.shows(o) && o.At.Sub(v.FreeAt()) >= 0 {
		return o.At.Add(-lease.MaxLeaseDuration)
	}
	return o.At
}

// shows reports whether o came right after the last observation.
func (v *View) shows(o *Observation) bool { return o.After != "" && o.After == v.last.Version() }

// follows reports whether nothing can lie between the last observation and o.
func (v *View) follows(o *Observation) bool {
	return v.shows(o) ||
		o.Record.UID() == v.Record().UID() && o.Version() == v.last.Version()
}

// Proved returns the view after a look at what was there right before its last
// record was written: before, of which looked is false if the server no longer
// knows. A Lease that was not there before was never held; one that its holder
// held, in the version that the release names, was released.
func (v View) Proved(of, before Record, looked bool) View {
	r := v.Record()
	if !v.proof.wanted || of.UID() != r.UID() || of.ResourceVersion() != r.ResourceVersion() {
		return v // it has changed meanwhile
	}
	if looked && (r.untouched() && !before.Exists() || r.releases(before)) {
		v.debt = v.proof.then
	}
	v.proof = proof{}
	return v
}
