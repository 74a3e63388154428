package protocol

import (
	"errors"

	"github.com/hotseat-go/hotseat/lease"

	"github.com/hotseat-go/hotseat/fencing"
)

// Claim is a term as last acknowledged by the API server. An immutable value.
type Claim struct {
	Token  fencing.Token
	Source Source // what the epoch was derived from
	// Record is the latest record that is known to name the term. The next compare-and-swap replaces
	// it.
	Record Record
	// Sent is when the latest acknowledged write of this term was sent. Latest means sent last, not
	// answered last. Zero while no write was acknowledged.
	Sent Instant
	// Lift is the epoch of a raise that was not answered: the Lease may have it, or may still get it.
	// Zero: there is none.
	Lift int64
	// Published is what the term's writes publish for rule P1.
	Published Published
	// Successor is who goes next, by the word of the release. Empty: the release names nobody.
	Successor string
}

// Written returns the claim's acknowledgement as an observation made at now.
func (c Claim) Written(now Instant) Observation {
	return Observation{Record: c.Record, Asked: now, At: now, ResourceVersion: c.Record.ResourceVersion(), Stored: true}
}

// ValidUntil is Sent + RenewDeadline: nobody else works before then.
func (c Claim) ValidUntil(t lease.Timing) Instant { return c.Sent.Add(t.RenewDeadline) }

// Rebase returns the claim whose next write replaces r. Its validity stays the same: only
// acknowledged writes prolong it. If r shows that a raise has arrived, the raised epoch becomes the
// term's.
func (c Claim) Rebase(r Record) Claim {
	c.Record = r
	if epoch, err := r.Epoch(); err == nil && epoch == c.Lift {
		c.Token.Epoch = max(c.Token.Epoch, epoch)
	}
	return c.settled()
}

// settled forgets a raise that can change nothing any more.
func (c Claim) settled() Claim {
	if c.Lift <= c.Token.Epoch {
		c.Lift = 0
	}
	return c
}

// wrote returns the claim after a write that was sent then, and stored as r.
func (c Claim) wrote(r Record, sent Instant) Claim {
	c.Sent = sent
	return c.Rebase(r)
}

// Acknowledged returns the claim after a, an acknowledged write of its term. The order in which
// writes are answered does not matter. learned is when the claim's record was answered or shown: a
// write that was sent after that is later, whatever its version. Versions go back when the store is
// restored.
func (c Claim) Acknowledged(a Claim, learned Instant) Claim {
	if a.Sent.After(c.Sent) {
		c.Sent = a.Sent
	}
	c.Token.Epoch = max(c.Token.Epoch, a.Token.Epoch)
	if !c.Record.Exists() || a.Sent.After(learned) ||
		Newer(a.Record.ResourceVersion(), c.Record.ResourceVersion()) {
		return c.Rebase(a.Record)
	}
	return c.settled()
}

// Unanswered returns the claim after a raise, a, that may or may not be on the Lease.
func (c Claim) Unanswered(a Claim) Claim {
	c.Lift = max(c.Lift, a.Lift)
	return c.Rebase(c.Record)
}

// written is the token that the term's writes carry.
func (c Claim) written() fencing.Token {
	token := c.Token
	token.Epoch = max(token.Epoch, c.Lift)
	return token
}

// Standing returns nil if r still carries the term, else a [*LostError]. Missing or damaged
// annotations do not end a term: the identity and the acquireTime still name the term, and the next
// renewal repairs the annotations.
func (c Claim) Standing(r Record) error {
	epoch, err := r.Epoch()
	switch {
	case !r.Exists() || r.UID() != c.Record.UID():
		return &LostError{Loss: LossDeleted, Record: r}
	case r.Holder() == "":
		return &LostError{Loss: LossCleared, Record: r}
	case r.Holder() != c.Record.Holder():
		return &LostError{Loss: LossTaken, Record: r}
	case r.Term() != "" && r.Term() != c.Token.Term,
		r.Term() == "" && !r.AcquireTime().Equal(c.Record.AcquireTime()):
		return &LostError{Loss: LossTaken, Record: r}
	case err == nil && epoch > c.Token.Epoch && epoch != c.Lift:
		return &LostError{Loss: LossFenced, Record: r}
	}
	return nil
}

// holds reports whether r has the term exactly as c's own writes leave it.
func (c Claim) holds(r Record) bool {
	token, ok := r.Token()
	return ok && (token == c.Token || token == c.written()) && r.UID() == c.Record.UID() && r.Holder() == c.Record.Holder()
}

// releasable returns nil if r still names the term, which may have had its epoch raised
// by hand, else a [*LostError].
func (c Claim) releasable(r Record) error {
	lost, ok := errors.AsType[*LostError](c.Standing(r))
	if !ok || lost.Loss == LossFenced {
		return nil
	}
	return lost
}
