package protocol

import (
	"time"

	"github.com/hotseat-go/hotseat/lease"

	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/hotseat-go/hotseat/internal/elapsed"
)

// Clock and Instant measure this machine's elapsed time, including time while it is suspended. The
// zero Clock is the machine's. See internal/elapsed.
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
	// Listed says that the observation is the answer to a linearizable read, a List or a Get. A watch
	// event may be old.
	Listed bool
	// Stored says that the observation comes from the store and not from a cache: it is the answer to
	// a Get or a write.
	Stored bool
	// After is the version of the record right before this one, if that is known: the one that the
	// same watch showed last, or the one that a compare-and-swap replaced. It distinguishes a change
	// from a gap.
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
	death   death
	foreign Instant // since when the holder has been seen, one without a token, in one watch
	store
	highest
}

// highest is the greatest epoch that was ever seen.
type highest struct {
	epoch int64
	term  string // that epoch was seen with first
}

// debt says until when a holder may be at work: one that was seen, or one that an unexplained
// change may hide.
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

// Newest is the highest version of the store ever observed. A new epoch must not be below it.
func (v *View) Newest() string { return v.newest }

// FreeAt is when every claim observed so far has run out on this machine's
// clock. It may be in the past.
func (v *View) FreeAt() Instant { return v.debt.freeAt() }

// Since is when the last claim was observed first: a renewal, an acquire or an edit.
func (v *View) Since() Instant { return v.debt.since }

func later(a, b Instant) Instant {
	if b.After(a) {
		return b
	}
	return a
}

// Doubt returns the view that needs a fresh read before it decides.
func (v View) Doubt() View {
	v.doubted = true
	return v
}

// Outdated reports whether o is a List of what a Get has shown to be out of date.
func (v *View) Outdated(o Observation) bool { return v.ghost.is(o) }

// Observe returns the view after o. leaseDuration is our own, used where no
// holder's is written.
//
// An observation that is provably not newer than the last one is dropped. So is a List of what a
// Get has shown to be out of date, because it comes from a cache. If an event cannot be compared,
// it casts doubt, and a fresh read has to settle that.
//
// A record can make the same claim as the last one in two cases: it is the same version, or one
// watch showed it right after the last one. Across a gap it never does, whatever it says: an edit
// can put a record back over a term that was not shown.
//
// A changed record proves that earlier holders have stopped only if the last holder itself released
// the Lease, or if a greater epoch took over by these same rules. Any other change (an edit, a
// deletion, another elector's write) may have happened while a holder, seen by us or not, is cut
// off and still at work. Its last renewal may be as recent as the change. So a whole lease duration
// is waited from now. Only the end of that wait, or a release by the hidden term itself, ends it. A
// takeover does not: its process may never have seen the hidden term. A duration shorter than our
// own is not believed, because it may be an edit. Nor is one that is longer than any that an
// elector wrote.
func (v View) Observe(o Observation, leaseDuration time.Duration) View {
	next, _ := v.after(&o, leaseDuration)
	return next
}

// after is Observe. It also reports whether o was new.
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
	// What only a person can have written is not remembered: the person can take it back.
	if epoch, err := o.Record.Epoch(); err == nil && epoch > v.epoch && plausible(epoch, next.newest, v.epoch) {
		next.epoch = epoch
		if next.term = o.Record.Term(); next.term == "" && o.Record.stands(v.Record()) { // it was edited
			next.term = v.term
		}
	}
	next.seat = v.seat.observe(v, o)
	next.foreign = v.foreigner(o)
	next.death = v.death.observe(v, o)
	if v.known && v.follows(o) && o.Record.sameClaim(v.Record()) || v.known && !o.Record.Exists() && !v.Record().Exists() {
		return next.afterDeath(), true
	}
	next.debt, next.proof = v.owe(o, leaseDuration)
	return next.afterDeath(), true
}

func newest(first string, others ...string) string {
	for _, other := range others {
		if first == "" || Newer(other, first) {
			first = other
		}
	}
	return first
}

// foreigner is for a holder without a token. It returns since when one watch has shown the holder
// that o shows. For any other holder it returns the zero Instant. A holder that was seen to take
// the Lease after all claims had run out has been there long enough.
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

// follows reports whether o comes right after the last observation, with nothing in between.
func (v *View) follows(o *Observation) bool {
	return v.shows(o) ||
		o.Record.UID() == v.Record().UID() && o.Version() == v.last.Version()
}

// Proved returns the view after a look at what was there right before its last record was written,
// which is before. looked is false if the server no longer knows. If there was no Lease before, the
// Lease was never held. If the holder held it, in the version that the release names, the release
// is proven.
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
