package singleton

import (
	"time"

	"github.com/hotseat-go/hotseat/internal/outage"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// become makes next the current candidate, and reports what the last candidate did not know.
func (r *run) become(next *protocol.Candidate) {
	before := r.candidate.View()
	r.saw(next)
	r.candidate = next
	record := next.View().Record()
	r.record.Store(&record.Record)
	if now := record.ResourceVersion(); now != before.Record().ResourceVersion() &&
		record.Holder()+before.Record().Holder() != "" {
		r.lastSign = next.View().Last().At
	}
	if record.Exists() {
		r.tell.Over(outage.Creating)
	}
	if other := record.Holder(); other != "" && other != r.config.Replica.Identity { // it was faster
		r.tell.Over(outage.Contesting)
	}
	holder := Holder{Identity: record.Holder(), Self: record.Holder() == r.config.Replica.Identity}
	holder.Token, _ = record.Token()
	holder.Dead = next.HolderDead()
	now := *r.status.Load()
	if now.observed && now.holder == holder && before.Record().Exists() == record.Exists() {
		return
	}
	now.holder, now.observed, now.missing = holder, true, !record.Exists()
	now.found = now.found || record.Exists()
	r.status.Store(&now)
	log := r.config.Logger
	switch {
	case !record.Exists() && now.found:
		log.Warn("somebody deleted the Lease")
	case !record.Exists():
		log.Info("the Lease does not exist: creating it; work can start a lease duration later."+
			" Ship the Lease in a manifest to start at once",
			"lease_duration", r.config.Timing.LeaseDuration)
	case holder.Identity == "":
		log.Info("nobody holds the Lease")
	case holder.Dead:
		log.Info("the holder's process is proven dead: the Lease is acquired without waiting for the"+
			" lease duration", "holder", holder.Identity, "epoch", holder.Token.Epoch,
			"settle", r.config.Fencing.Settle)
	default:
		log.Info("holder seen", "holder", holder.Identity, "epoch", holder.Token.Epoch)
	}
	program, own := record.Program(), r.config.Replica.Program
	// An elector that knows no programs does not remove the annotation that another elector wrote.
	wrote := record.Annotation(lease.AnnotationHolder) == holder.Identity
	if holder.Identity != "" && !holder.Self && wrote && program != "" && program != own {
		log.Warn("another program holds the Lease: two applications must not share one Lease",
			"holder", holder.Identity, "program", program, "own_program", own)
	}
	r.hooks.seen(r.config.Hooks.OnHolder, holder)
}

// setState publishes a state and its term.
func (r *run) setState(s State, t *Term) {
	now := *r.status.Load()
	if now.state == s && now.term == t {
		return
	}
	defer close(now.next)
	now.next = make(chan struct{})
	now.state, now.term, now.since, now.overrun = s, t, time.Now(), false
	now.observed = now.observed && s != StateStopped
	now.found = now.found && s != StateStopped
	switch s {
	case StateStopped:
		now.rights = unasked
	case StateActive:
		now.rights = mayWrite
	}
	r.status.Store(&now)
}
