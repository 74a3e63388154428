package singleton

import (
	"errors"

	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// answer tells the holder that this replica, which the Lease names as the successor, is there. It
// delays nothing: the request runs beside the loop. If it fails, the next observation brings
// another.
func (r *run) answer() {
	if !r.candidate.Named() || r.stance.ineligible.Load() ||
		!r.stance.answering.CompareAndSwap(false, true) {
		return
	}
	of := r.candidate.View().Record()
	r.helpers.Go(func() {
		defer r.stance.answering.Store(false)
		switch err := r.lock.Answer(r.ctx, of); {
		case err == nil:
			r.config.Logger.Info("named as the successor: the holder was told that this replica is there",
				"holder", of.Holder())
		case r.ctx.Err() == nil && !errors.Is(err, lease.ErrConflict):
			r.config.Logger.Warn("named as the successor, but the holder cannot be told", "error", err)
		}
	})
}

// handOver ends the term if the record, which is of this term, names a successor that has answered.
func (r *run) handOver(record protocol.Record) {
	term := r.reign.term
	to := r.reign.tenure.Claim().HandOver(record)
	if to == "" || term.ctx.Err() != nil {
		return
	}
	r.config.Logger.Info("handing over to the successor that the Lease names",
		"token", term.Token().String(), "successor", to)
	term.end(&EndError{Reason: ReasonResigned, Successor: to})
}
