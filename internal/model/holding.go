package main

import (
	"errors"
	"strconv"

	"github.com/hotseat-go/hotseat/internal/protocol"
)

// holding remembers what protocol.Tenure made of what a holder met.
type holding struct {
	standings map[standing]protocol.Loss
	judged    map[judgement]judged
	overtaken map[overtaken]bool
}

type overtaken struct {
	knows uint32
	claim claim
}

func newHolding() holding {
	return holding{standings: map[standing]protocol.Loss{}, judged: map[judgement]judged{}, overtaken: map[overtaken]bool{}}
}

func (m *model) claimOf(c claim) protocol.Claim {
	claim := protocol.Claim{Token: token(c.epoch, c.term), Record: m.lease(c.record), Sent: instant(c.sent)}
	if c.after != 0 {
		claim.Published = protocol.Published{Identity: "process", After: strconv.Itoa(int(c.after))}
	}
	return claim
}

// acquiringTenure is that of a term whose first write is under way, as write 1.
func (m *model) acquiringTenure(c claim) *protocol.Tenure {
	t, _ := m.known.nobody.Take(m.claimOf(c), m.lease(c.from)).Next(instant(c.sent))
	return t
}

// tenure is that of a term whose last acknowledged write c is. Write 2 is under way.
func (m *model) tenure(c claim, over bool) *protocol.Tenure {
	t, _ := m.acquiringTenure(c).Answered(protocol.Answer{ID: 1, Claim: m.claimOf(c)}, instant(c.sent))
	t, _ = t.Next(instant(c.sent))
	if over {
		t = t.End()
	}
	return t
}

type judgement struct {
	claim     claim
	over      bool
	acquiring bool
	event     event         // what the watch shows, if it is present
	answer    claim         // else the claim that a write was answered with,
	lost      protocol.Loss // or how it found the term to be over
	now       uint8
}

type judged struct {
	claim claim
	begun bool
	lost  protocol.Loss
}

// judge has the tenure of a term take in what the watch shows, or an answer.
func (m *model) judge(j judgement) judged {
	j.event.before, j.event.last = 0, false
	out, known := m.holding.judged[j]
	if !known {
		out = m.judgementOf(j)
		m.holding.judged[j] = out
	}
	return out
}

func (m *model) judgementOf(j judgement) judged {
	now := instant(j.now)
	var t *protocol.Tenure
	var step protocol.Step
	switch {
	case j.event.present:
		t, step = m.tenure(j.claim, j.over).Observe(m.look(j.event, j.now), now)
	case j.acquiring:
		t, step = m.acquiringTenure(j.claim).Answered(protocol.Answer{ID: 1, Claim: m.claimOf(j.answer)}, now)
	case j.lost != "":
		lost := &protocol.LostError{Loss: j.lost, Record: m.lease(j.answer.record)}
		t, step = m.tenure(j.claim, j.over).Answered(protocol.Answer{ID: 2, Claim: m.claimOf(j.claim), Err: lost}, now)
	default:
		t, step = m.tenure(j.claim, j.over).Answered(protocol.Answer{ID: 2, Claim: m.claimOf(j.answer)}, now)
	}
	out := judged{claim: j.claim, begun: step.Prolonged}
	out.claim.record = m.records.of[t.Claim().Record]
	out.claim.sent = tickOf(t.Claim().Sent)
	if knows := t.Claim().Published.After; j.claim.after != 0 && !j.acquiring &&
		knows != m.tenure(j.claim, j.over).Claim().Published.After { // it has learned something
		after, _ := strconv.Atoi(knows)
		out.claim.after = uint8(after)
	}
	if step.Lost != nil {
		out.lost = step.Lost.Loss
	}
	return out
}

func tickOf(i protocol.Instant) uint8 { return uint8(i.Sub(instant(0)).Seconds()) }

type standing struct {
	claim  tok
	record uint16
	seen   uint16
}

// standing returns why a write that meets a record finds its term to be over; empty: it stands.
func (m *model) standing(c claim, seen uint16) protocol.Loss {
	key := standing{c.tok, c.record, seen}
	loss, known := m.holding.standings[key]
	if !known {
		if lost, isLost := errors.AsType[*protocol.LostError](m.claimOf(c).Standing(m.lease(seen))); isLost {
			loss = lost.Loss
		}
		m.holding.standings[key] = loss
	}
	return loss
}
