package protocol

import (
	"time"

	"github.com/hotseat-go/hotseat/lease"

	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// owe returns how long a candidate has to wait after o, which is a change, and what could prove
// that it need not.
func (v *View) owe(o *Observation, leaseDuration time.Duration) (debt, proof) {
	r := o.Record
	wrote := v.believed(r, leaseDuration)
	next := debt{since: o.At, owed: max(leaseDuration, wrote), written: wrote, hidden: v.debt.hidden, hider: v.debt.hider}
	paid := next // if the record's own word is true
	paid.owed, paid.written = 0, 0
	if paid.hider != "" && paid.hider == r.Term() {
		paid.hidden = Instant{}
	}
	change := v.change(o)
	switch change {
	case givenUp:
		return paid, proof{}
	case cleared:
		next.owed, next.written = r.Duration(), 0
		// It speaks for those that it has waited out itself, if we saw it hold that long.
		next.hidden = later(next.hidden, v.foreign.Add(max(leaseDuration, v.debt.written)))
	case explained: // by one who may not have seen what we saw covered up
		// Within a term no elector writes less: it was edited, unless the longer one was.
		if r.Term() == v.Record().Term() && (!v.shows(o) || r.Term() != "" && v.Record().Duration() <= lease.MaxLeaseDuration) {
			next.owed, next.written = max(next.owed, v.debt.written), max(next.written, v.debt.written)
		}
	case asserted, unproven:
		if next.hider = v.term; v.debt.hider != v.term && v.debt.hidden.After(o.At) || v.Record().Term() != "" && v.Record().Term() != v.term {
			next.hider = "" // two of them
		}
		next.hidden = later(v.debt.hidden, o.At.Add(max(leaseDuration, v.debt.written)))
		if !v.moved(r) { // written by hand, or in a manifest
			next.written = 0
		}
		next.written = max(next.written, v.debt.written)
	}
	return next, proof{wanted: change == asserted, then: paid}
}

// believed is the duration that r asks for, as far as an elector can have written
// it.
func (v *View) believed(r Record, leaseDuration time.Duration) time.Duration {
	most := lease.MaxLeaseDuration
	if v.known && !v.moved(r) { // edited by hand: no elector wrote more than before
		most = max(leaseDuration, v.debt.written)
	}
	return min(r.Duration(), most)
}

// moved reports whether r has another renewTime than the last record. Edits by hand leave the
// renewTime alone.
func (v *View) moved(r Record) bool { return !r.RenewTime().Equal(v.Record().RenewTime()) }

// change is what an observation says of the claims before it.
type change int

const (
	unproven  change = iota // may hide one that still lasts
	explained               // prolonged, or taken when all had run out that the taker had seen
	givenUp                 // released by its holder
	asserted                // it says that nobody is at work; what was there before can prove it
	cleared                 // another elector's, by its release
)

func (v *View) change(o *Observation) change {
	r := o.Record
	before := v.Record()
	order, err := resourceversion.CompareResourceVersion(r.ResourceVersion(), v.last.ResourceVersion)
	epoch, _ := r.Epoch()
	restored := v.known && r.Exists() && err == nil && order <= 0
	lowered := epoch > 0 && (epoch < v.epoch || epoch == v.epoch && r.Term() != v.term)
	token, fenced := r.Token()
	_, oursBefore := before.Token()
	moved := v.moved(r)
	same := r.UID() == before.UID()
	replaced := before.Exists() && !same // its writers may never have seen ours
	shown := v.shows(o)
	released := shown && r.releases(before)
	switch {
	case restored: // the store went back in time: it proves nothing
		return unproven
	case released && (!lowered || r.Term() == v.term): // an edit may have raised that very term's epoch and put it back
		return givenUp
	case lowered: // this Lease went back in time
		return unproven
	case replaced, !v.known && !r.Exists():
		return unproven
	case r.untouched() && !v.known:
		return asserted
	case r.Released():
		return asserted
	case r.foreignRelease() && shown && r.RenewTime().After(before.RenewTime()) && before.Holder() != "" && !oursBefore && epoch <= v.epoch:
		// Edits can give it that shape too; and client-go's release clears
		// whoever holds the Lease by then, also a term that we were not shown,
		// whose epoch it leaves there.
		return cleared
	case fenced && token.Epoch > v.epoch && (moved || !v.known), // taken over by our rules, or seen for the first time
		moved && r.Holder() != "" && r.Holder() == before.Holder() && same,                 // prolonged by its holder
		moved && r.Holder() != "" && same && epoch <= v.epoch && o.At.Sub(v.FreeAt()) >= 0: // taken by another elector
		return explained
	}
	return unproven
}

// releases reports whether r is the release by the holder of the record before, and replaced
// exactly that record. An edit may have removed the term from before.
func (r Record) releases(before Record) bool {
	replaced, released := r.ReleasedFrom()
	same := before.Term() == r.Term() || before.Term() == "" && before.Holder() == r.annotation(lease.AnnotationHolder)
	return released && replaced == before.ResourceVersion() && r.UID() == before.UID() && before.Holder() != "" && same
}

// stands reports whether r names the same holder as before, with the same acquireTime.
func (r Record) stands(before Record) bool {
	return r.Holder() != "" && r.Holder() == before.Holder() && r.UID() == before.UID() && r.AcquireTime().Equal(before.AcquireTime())
}
