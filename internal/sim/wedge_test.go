package sim

import (
	"context"
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/singleton"
)

// TestWedgeRules: work that hangs is told to stop in time, and no other is.
func TestWedgeRules(t *testing.T) {
	// hangs has a's work hang, and its term end after so long.
	hangs := func(s *scene, after time.Duration, reason singleton.Reason) {
		s.w.plan.Faults = append(s.w.plan.Faults, Fault{Kind: Wedge, Node: 0, For: time.Minute})
		j, _, _ := s.work(s.a, 1)
		ctx, cancel := context.WithCancelCause(context.Background())
		j.ctx = ctx
		s.a.node.wedgedUntil = time.Now().Add(time.Minute)
		time.AfterFunc(after, func() { cancel(&singleton.EndError{Reason: reason}) })
		s.a.hang(j)
	}
	fires(t, map[string]ruleCase{
		"stalled":                 {"", func(s *scene) { hangs(s, 20*second, singleton.ReasonStalled) }},
		"lost":                    {"", func(s *scene) { hangs(s, 5*second, singleton.ReasonTaken) }},
		"goes on for ever":        {"wedged work gives way", func(s *scene) { hangs(s, time.Hour, singleton.ReasonStalled) }},
		"a second too long":       {"wedged work gives way", func(s *scene) { hangs(s, 21*second, singleton.ReasonStalled) }},
		"told, and hangs":         {"", func(s *scene) { s.ends(true, singleton.ReasonStalled) }},
		"told, and does not hang": {"wedged work gives way", func(s *scene) { s.ends(false, singleton.ReasonStalled) }},
		"resigned":                {"", func(s *scene) { s.ends(false, singleton.ReasonResigned) }},
	})
}

// ends has a term of a end for a reason.
func (s *scene) ends(hung bool, reason singleton.Reason) {
	j, _, _ := s.work(s.a, 1)
	ctx, cancel := context.WithCancelCause(context.Background())
	j.ctx, j.hung = ctx, hung
	cancel(&singleton.EndError{Reason: reason})
	s.contextEnded(j)
}
