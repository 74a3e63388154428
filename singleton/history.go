package singleton

import (
	"slices"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// maxHistory is how many terms an elector remembers. A standby pays 152 bytes for each.
const maxHistory = 10

// SeenTerm is a term as one replica saw it. See [Elector.History].
type SeenTerm struct {
	// Token is the term's fencing token, the last one if it was raised. It is zero if the holder wrote
	// none, as client-go's elector does.
	Token fencing.Token
	// Holder is what the Lease showed as its holder.
	Holder string
	// Start is when this replica saw the term begin. If Joined is set, the term may have begun
	// earlier.
	Start time.Time
	// End is when this replica saw that the term was over. It is zero until then. An own term is over
	// once its work has returned or its validity has ended, whichever is first.
	End time.Time
	// Renewed is when this replica last saw another replica's term being renewed. It is set with End.
	// If the holder crashed, the term ended between Renewed and End.
	Renewed time.Time
	// Reason is why the term ended, as far as this replica knows. It is empty while End is zero.
	Reason Reason
	// Own reports whether it was a term of this replica.
	Own bool
	// Joined reports that this replica did not see the beginning: the term was under way when this
	// replica first looked, or looked again.
	Joined bool
}

// Reasons of another replica's term, in [Elector.History] alone. ReasonExpired, ReasonTaken,
// ReasonCleared and ReasonDeleted are there, too.
//   - ReasonExpired: another replica acquired the Lease about a lease duration after the last
//     renewal.
//   - ReasonTaken: another replica acquired it earlier, and this replica did not see why. That
//     replica may have had proof of the holder's death.
const (
	ReasonReleased Reason = "released" // the holder released the Lease
	ReasonDead     Reason = "dead"     // this replica had proof of the holder's death
	ReasonReplaced Reason = "replaced" // the Lease was deleted and created again
	ReasonUnseen   Reason = "unseen"   // it ended while this replica was not watching
)

// History returns the last ten terms that this replica saw, newest first. It includes a term that
// lasts. History takes no lock and makes no request. The caller may keep and change the slice.
//
// A replica knows only what it observed. Of its own terms it knows the beginning, the end and the
// [Reason]. Of another replica's term it knows when it saw the Lease change: the term may have
// begun a little earlier. If the holder crashes, the term stays without an end until another
// replica acquires the Lease. What happened before Run was called, or while the API server could
// not be reached, is not there.
//
// All times are by this machine's wall clock. History stays as it is while Run is not running, and
// Run continues it.
func (e *Elector) History() []SeenTerm {
	past := e.past.Load()
	if past == nil {
		return nil
	}
	return slices.Clone(*past)
}

// history is the terms that were seen, newest first. It is an immutable value: each method returns
// the history after something happened.
type history []SeenTerm

// glance is two observations, one right after the other.
type glance struct {
	before, now lease.Record
	renewed     time.Time // when the claim of before was seen
	at          time.Time // of now
	unbroken    bool      // nothing can have happened between them
	dead        bool      // the holder of before is proven dead
	expired     bool      // the lease duration of before has passed
}

// saw returns the history after a glance.
func (h history) saw(g glance) history {
	token, _ := g.now.Token()
	if continues(g.before, g.now) {
		return h.raised(token)
	}
	if len(h) > 0 && h[0].End.IsZero() && !h[0].Own {
		h = slices.Clone(h)
		h[0].Renewed, h[0].End, h[0].Reason = g.renewed, g.at, g.reason()
	}
	if g.now.Holder() == "" || h.find(token) >= 0 { // an edit put the record of an earlier term back
		return h
	}
	return h.with(SeenTerm{
		Token: token, Holder: g.now.Holder(), Start: g.at, Joined: !g.unbroken,
	})
}

// raised returns the history after the epoch of a term was raised.
func (h history) raised(token fencing.Token) history {
	i := h.find(token)
	if i < 0 || h[i].Token == token || !h[i].End.IsZero() {
		return h
	}
	h = slices.Clone(h)
	h[i].Token = token
	return h
}

// began returns the history after a term of this replica began.
func (h history) began(own SeenTerm) history {
	if i := h.find(own.Token); i >= 0 {
		h = slices.Clone(h)
		h[i] = own
		return h
	}
	return h.with(own)
}

// ended returns the history after a term of this replica ended.
func (h history) ended(token fencing.Token, at time.Time, reason Reason) history {
	i := h.find(token)
	if i < 0 { // ten others have begun since
		return h
	}
	h = slices.Clone(h)
	h[i].Token, h[i].End, h[i].Reason = token, at, reason
	return h
}

func (h history) with(newest SeenTerm) history {
	next := make(history, 0, min(len(h)+1, maxHistory))
	return append(append(next, newest), h[:cap(next)-1]...)
}

// find returns the index of the term with that token, or with a raised one; -1 if it is not there.
func (h history) find(token fencing.Token) int {
	return slices.IndexFunc(h, func(t SeenTerm) bool {
		return token.Term != "" && t.Token.Term == token.Term
	})
}

// continues reports whether both records show the same term, or none.
func continues(before, now lease.Record) bool {
	if before.Holder() == "" || now.Holder() == "" {
		return before.Holder() == now.Holder() && before.Exists() == now.Exists()
	}
	was, _ := before.Token()
	is, _ := now.Token()
	same := before.UID() == now.UID() && before.Holder() == now.Holder()
	if was.Term == "" || is.Term == "" { // there is no token, or an edit damaged it
		return same && before.AcquireTime().Equal(now.AcquireTime())
	}
	return same && was.Term == is.Term
}

// reason is why the term of before ended, as far as the glance shows it.
func (g glance) reason() Reason {
	before, now := g.before, g.now
	switch {
	case !now.Exists():
		return ReasonDeleted
	case before.Exists() && before.UID() != now.UID():
		return ReasonReplaced
	case now.Released() && now.Term() == before.Term():
		return ReasonReleased
	case !g.unbroken:
		return ReasonUnseen
	case now.Holder() == "" && clientGoReleased(now):
		return ReasonReleased
	case now.Holder() == "":
		return ReasonCleared
	case g.dead:
		return ReasonDead
	case g.expired:
		return ReasonExpired
	}
	return ReasonTaken
}

// clientGoReleased reports whether the record looks as client-go's elector leaves it on release.
func clientGoReleased(r lease.Record) bool {
	return r.Duration() == time.Second && !r.RenewTime().IsZero() &&
		r.RenewTime().Equal(r.AcquireTime())
}

// saw remembers what next shows beside the current candidate.
func (r *run) saw(next *protocol.Candidate) {
	before, last := r.candidate.View(), next.View().Last()
	now := last.Record
	unbroken := before.Known() && last.After != "" && last.After == before.Last().Version()
	if g := r.reign; g != nil && now.Term() == g.tenure.Claim().Token.Term {
		unbroken = true // the acquire replaced the record before, and no other
	}
	r.remember(func(h history) history {
		return h.saw(glance{
			before: before.Record().Record, now: now.Record,
			renewed: before.Since().Wall(), at: last.At.Wall(),
			unbroken: unbroken, dead: r.candidate.HolderDead(),
			// Another replica may have seen the last renewal earlier.
			expired: !before.FreeAt().Add(-r.config.Timing.RetryPeriod).After(last.At),
		})
	})
}

// began remembers the beginning of a term of this replica.
func (r *run) began(t *Term) {
	own := SeenTerm{Token: t.Token(), Holder: t.Identity(), Start: t.began.Round(0), Own: true}
	r.remember(func(h history) history { return h.began(own) })
}

// ended remembers the end of a term of this replica, whose work has returned.
func (r *run) ended(t *Term, cause *EndError) {
	r.remember(func(h history) history { return h.ended(t.Token(), t.endedAt(), cause.Reason) })
}

// endedAt is when the term was over. A process that was frozen notices that later.
func (t *Term) endedAt() time.Time {
	if until := t.until.Load().Wall(); until.Before(t.at) {
		return until
	}
	return t.at.Round(0)
}

// remember publishes a history, if it is another one.
func (r *run) remember(change func(history) history) {
	var h history
	if past := r.past.Load(); past != nil {
		h = *past
	}
	if next := change(h); len(next) != len(h) || len(h) > 0 && &next[0] != &h[0] {
		r.past.Store(&next)
	}
}
