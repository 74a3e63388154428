package main

import (
	"context"
	"fmt"
	"time"

	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/lease"
)

// outcome is the sink that sees how a term ends and the next one begins.
type outcome struct {
	call     *call
	term     lease.Record // the term that is to end
	ask      func() error // writes what ends it, once the Lease is watched
	failure  error        // of ask
	patience *time.Timer  // ends the wait
	drain    time.Duration
	at       moments
	next     lease.Record // of the next term
	deleted  bool
}

// moments are when this machine saw something, by its own clock alone. Zero: not yet.
type moments struct{ asked, answered, released, acquired time.Time }

// await asks, and follows the Lease until the next term has begun. It waits for a first reaction,
// and then for the end of work.
func (o *outcome) await(ctx context.Context, s scope, reaction, drain time.Duration) error {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	o.patience, o.drain = time.AfterFunc(reaction, cancel), drain
	defer o.patience.Stop()
	if err := o.call.follow(waiting, s, o); err != nil {
		return fmt.Errorf("the outcome is not known: %w", err)
	}
	if o.failure != nil {
		return o.failure
	}
	return ctx.Err()
}

// hasReacted: the successor answered, or the term is over anyhow.
func (o *outcome) hasReacted() bool {
	return !o.at.answered.IsZero() || !o.at.released.IsZero() || o.over()
}

// over: the next term has begun, or there is no Lease any more.
func (o *outcome) over() bool { return !o.at.acquired.IsZero() || o.deleted }

func (o *outcome) listed(items []coordv1.Lease) bool {
	if len(items) == 0 {
		o.deleted = true
		return false
	}
	if o.ask != nil {
		ask, at := o.ask, o.call.now()
		o.ask = nil
		if o.failure = ask(); o.failure != nil {
			return false
		}
		o.at.asked = at
		return true
	}
	return o.changed(&items[0], false)
}

func (o *outcome) failed(err error) bool {
	o.call.print("Trying again: %v", err)
	return true
}

func (o *outcome) changed(l *coordv1.Lease, deleted bool) bool {
	now, at := lease.NewRecord(l), o.call.now()
	successor := now.Annotation(lease.AnnotationSuccessor)
	reacted := o.hasReacted()
	switch {
	case deleted || now.UID() != o.term.UID():
		o.deleted = true
	case now.Holder() == "":
		if o.at.released.IsZero() {
			o.at.released = at
			o.call.print("%6s  %s has ended its work and released the Lease.", o.after(at), podOf(o.term.Holder()))
		}
	case now.Holder() != o.term.Holder() || now.Term() != o.term.Term():
		o.at.acquired, o.next = at, now
	case podOf(successor) != successor && o.at.answered.IsZero():
		o.at.answered = at
		o.call.print("%6s  %s has answered: the active ends its work.", o.after(at), podOf(successor))
	}
	if !reacted && o.hasReacted() {
		o.patience.Reset(o.drain)
	}
	return !o.over()
}

func (o *outcome) after(at time.Time) string { return short(at.Sub(o.at.asked)) }

// tell says how it ended. A problem is told as errProblem. wanted may be empty: anybody.
func (o *outcome) tell(wanted string) error {
	switch {
	case o.deleted:
		o.call.print("Somebody deleted the Lease meanwhile.")
		return errProblem
	case o.at.acquired.IsZero() && o.at.released.IsZero():
		o.call.print("The work of %s has not ended within %v. It may still end, and hand over then.",
			podOf(o.term.Holder()), o.drain)
		return errProblem
	case o.at.acquired.IsZero():
		o.call.print("Nobody has acquired the Lease within %v: look at the standbys' logs.", o.drain)
		return errProblem
	}
	o.call.print("%6s  %s is active, epoch %s.", o.after(o.at.acquired), podOf(o.next.Holder()),
		o.next.Annotation(lease.AnnotationEpoch))
	if o.at.released.IsZero() {
		o.call.print("Its predecessor has not released the Lease: how long nobody was at work is not known.")
	} else {
		o.call.print("Nobody held the Lease for %s, as seen from here.", gap(o.at.acquired.Sub(o.at.released)))
	}
	if wanted != "" && podOf(o.next.Holder()) != wanted {
		o.call.print("That is not %s, which was named.", wanted)
		return errProblem
	}
	return nil
}

// gap is a duration that may be a few milliseconds.
func gap(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return short(d)
}
