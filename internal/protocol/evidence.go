package protocol

import (
	"context"
	"strings"

	"github.com/hotseat-go/hotseat/lease"

	coordv1 "k8s.io/api/coordination/v1"
)

// MaxEvidence is how long the identity of a process may be, in bytes. Every standby gets it with
// each renewal.
const MaxEvidence = 1024

// Published is what a term's writes publish, so that others can learn of its end from the death of
// its holder's process. Nothing is published while Identity is empty.
type Published struct {
	Identity string // by which others recognize the process
	// After is the version of the last record of this term that the holder knew while the term was
	// valid. In an acquire it is the version that the acquire replaces.
	After string
}

// publish writes onto next what c publishes.
func (c Claim) publish(next *coordv1.Lease) {
	if c.Published.Identity != "" {
		next.Annotations[lease.AnnotationEvidence] =
			c.Token.Term + " after " + c.Published.After + " " + c.Published.Identity
	}
}

// Evidence returns what the holder published for its term. ok is false if there is nothing for the
// term on the Lease: what an earlier term published is not the holder's.
func (r Record) Evidence() (p Published, ok bool) {
	token, held := r.Token()
	text, bound := strings.CutPrefix(r.annotation(lease.AnnotationEvidence), token.Term+" after ")
	after, identity, whole := strings.Cut(text, " ")
	if !held || !bound || !whole || after == "" || identity == "" || len(identity) > MaxEvidence {
		return Published{}, false
	}
	return Published{Identity: identity, After: after}, true
}

// Replaces reports whether the holder that wrote r knew before as the version that r replaced. Then
// nobody can have held the Lease since: the holder's term was valid when it learned that version.
func (r Record) Replaces(before Record) bool {
	p, ok := r.Evidence()
	return ok && before.Exists() && before.UID() == r.UID() && before.ResourceVersion() == p.After
}

// Continues reports whether r and before are of the same term.
func (r Record) Continues(before Record) bool {
	token, ok := r.Token()
	was, had := before.Token()
	return ok && had && token.Term == was.Term && r.Holder() == before.Holder() && r.UID() == before.UID()
}

// death is what a standby knows of the death of the holder that its last record names.
type death struct {
	suspect string  // the term whose holder seems dead
	dead    string  // the term whose holder's process is proven dead
	free    Instant // from when on that counts
	// last says that the record's claim is known to be the last one: nobody has held the Lease since
	// that term began.
	last   bool
	traced bool // a look could not show that
}

// observe takes in what o shows after v (rule P3).
func (d death) observe(v *View, o *Observation) death {
	r, before := o.Record, v.Record()
	_, published := r.Evidence()
	switch {
	case v.known && published && r.identical(before): // nothing has changed
	case published && v.shows(o) && (r.Replaces(before) || d.last && r.Continues(before)):
		d.last, d.traced = true, false
	case d.traced && v.shows(o) && r.Continues(before): // another look would end at the same place
	default:
		d.last, d.traced = false, false
	}
	return d
}

// holderDead reports whether the holder of the last record is proven dead, and its claim to be the
// last.
func (v *View) holderDead() bool {
	return v.death.last && v.death.dead != "" && v.death.dead == v.Record().Term()
}

// afterDeath ends the wait for the holder's own claim if its process is proven dead. The wait for what
// other changes may hide stays (rule P4).
func (v View) afterDeath() View {
	if v.holderDead() {
		v.debt.since, v.debt.owed = v.death.free, 0
	}
	return v
}

// whileHeld says what comes next while a claim has not run out.
func (v *View) whileHeld(now Instant, fresh bool) Decision {
	wait := Decision{Action: Wait, At: v.FreeAt(), Why: "held, or not proven to be free"}
	d, r := v.death, v.Record()
	_, published := r.Evidence()
	switch {
	case !published || d.suspect != r.Term() || d.traced || v.holderDead():
		return wait
	case v.debt.hidden.After(now): // no death ends that
		wait.At = v.debt.hidden
		return wait
	case !d.last:
		return Decision{Action: Trace, Why: "its holder seems dead"}
	case !fresh:
		return Decision{Action: Confirm, Why: "its holder seems dead"}
	}
	return Decision{Action: Ask, Why: "its holder seems dead"}
}

// HolderDead reports whether the holder's process is proven dead, and nobody else has held the Lease
// since.
func (c *Candidate) HolderDead() bool { return c.view.holderDead() }

// Untraced reports whether the holder seems dead, but nothing shows that its claim is the last one.
func (c *Candidate) Untraced() bool { return c.view.death.traced }

// Suspect takes in that the holder of that term seems dead. An empty term takes it back.
func (c *Candidate) Suspect(term string) *Candidate {
	c = c.clone()
	c.view.death.suspect = term
	return c
}

// Traced takes in a look at what was there before the record of ([Lock.Trace]). last says that
// nobody has held the Lease since the term began. If the look does not show that, a lease duration
// is waited as without evidence.
func (c *Candidate) Traced(of Record, last bool) *Candidate {
	if !of.identical(c.view.Record()) {
		return c // it has changed meanwhile
	}
	c = c.clone()
	c.view.death.last, c.view.death.traced = last, !last
	c.view = c.view.afterDeath()
	return c
}

// Died takes in proof that the process is dead which holds that term.
func (c *Candidate) Died(term string, now Instant) *Candidate {
	c = c.clone()
	c.view.death.dead, c.view.death.free = term, now.Add(c.self.Settle)
	c.view = c.view.afterDeath()
	c.manners.crowd = c.manners.crowd.next(c.self.Draw) // others learn of it at the same moment
	return c
}

// Trace looks whether r's claim is the last one: whether r replaced just the version that its
// holder knew. If r replaced another version of the same term, Trace looks one version further back,
// a few times at most. Nothing lies between one state and the next. The error is a
// [*lease.RequestError].
func (l *Lock) Trace(ctx context.Context, r Record) (last bool, err error) {
	for range rewrites {
		before, looked, err := l.before(ctx, r)
		switch {
		case err != nil || !looked:
			return false, err
		case r.Replaces(before):
			return true, nil
		case !r.Continues(before):
			return false, nil
		}
		r = before
	}
	return false, nil
}

// Identified returns the tenure whose writes publish from now on by what others recognize this
// process.
func (t *Tenure) Identified(identity string) *Tenure {
	t = t.clone()
	t.claim.Published.Identity = identity
	return t
}

// knew takes in that the term is valid and its record known. The term's next writes say so (rule
// P2). Requests must not do that themselves: they may read a record that was put back over another
// term when this one was over.
func (t *Tenure) knew() *Tenure {
	if t.stage == held {
		t.claim.Published.After = t.claim.Record.ResourceVersion()
	}
	return t
}
