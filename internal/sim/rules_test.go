package sim

import (
	"testing"
	"time"
)

// TestOverlapRules: what must not be at one time.
func TestOverlapRules(t *testing.T) {
	fires(t, map[string]ruleCase{
		"a handover": {"", func(s *scene) {
			_, lose, back := s.work(s.a, 1)
			s.tick(second)
			lose()
			s.tick(second)
			back()
			s.work(s.b, 2)
			s.tick(second)
		}},
		"valid after its work returned": {"one valid term", func(s *scene) {
			_, _, back := s.work(s.a, 1)
			back()
			s.tick(0)
		}},
		"both valid, one not at work yet": {"one valid term", func(s *scene) {
			s.work(s.a, 1)
			s.a.validFor, s.b.validFor = func() time.Duration { return second }, func() time.Duration { return 1 }
			s.tick(0)
		}},
		"both valid, after a restore": {"", func(s *scene) {
			s.a.validFor, s.b.validFor = func() time.Duration { return second }, func() time.Duration { return 1 }
			s.rewind(true, false, "")
			s.tick(14 * second)
		}},
		"one valid": {"", func(s *scene) {
			s.a.validFor, s.b.validFor = func() time.Duration { return second }, func() time.Duration { return 0 }
			s.tick(0)
		}},
		"created held":   {"no write over another's record", func(s *scene) { s.writes(s.a, nil, record(s.a.elector.Identity(), "4", "t")) }},
		"created vacant": {"", func(s *scene) { s.writes(s.a, nil, record("", "", "")) }},
		"client-go beside ours": {"one at a time", func(s *scene) {
			s.b.node.Elector = ClientGo
			_, lose, _ := s.work(s.a, 1)
			lose()
			s.work(s.b, 2)
			s.tick(second)
		}},
		"client-go beside ours, misled": {"", func(s *scene) {
			s.b.node.Elector, s.w.plan.Faults = ClientGo, []Fault{{Kind: Clear, Node: -1}}
			_, lose, _ := s.work(s.a, 1)
			lose()
			s.work(s.b, 2)
			s.tick(second)
		}},
		"client-go at work after its term": {"", func(s *scene) {
			s.a.node.Elector = ClientGo
			_, lose, _ := s.work(s.a, 1)
			lose()
			s.work(s.b, 2)
			s.tick(second)
		}},
		"both valid": {"one valid term", func(s *scene) { s.work(s.a, 1); s.work(s.b, 2); s.tick(0) }},
		"work goes on a millisecond too long": {"one at a time", func(s *scene) {
			_, lose, back := s.work(s.a, 1)
			lose()
			s.work(s.b, 2)
			time.Sleep(time.Millisecond)
			back() // before the driver looks
		}},
		"frozen after its term was over": {"", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			lose()
			s.w.active = []Fault{{Kind: Freeze, Node: 0}}
			s.tick(0)
			s.work(s.b, 2)
			s.tick(second)
		}},
		"frozen and thawed before its term was over": {"one at a time", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.w.active = []Fault{{Kind: Freeze, Node: 0}}
			s.tick(0)
			s.w.active = nil
			lose()
			s.work(s.b, 2)
			s.tick(second)
		}},
		"two terms of one process": {"one at a time", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			lose()
			s.work(s.a, 2)
			s.tick(second)
		}},
		"wiped out by a restore, but shown before": {"one at a time", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.tick(second)
			s.b.shown[s.a.name] = true
			s.rewind(true, true, "")
			lose()
			s.work(s.b, 2)
			s.tick(second)
		}},
		"wiped out by a restore, under a release sent before": {"", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.tick(second)
			s.releases(second)
			lose()
			s.work(s.b, 2)
			s.tick(second)
		}},
		"wiped out by a restore, under a release sent after": {"one at a time", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.tick(second)
			s.releases(0)
			lose()
			s.work(s.b, 2)
			s.tick(second)
		}},
		"renewals wiped out by a restore, and not shown before": {"", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.tick(second)
			s.b.shown[s.a.name], s.b.latest = true, "7"
			s.rewind(false, false, "8")
			lose()
			s.work(s.b, 2)
			s.tick(second)
		}},
		"renewals wiped out by a restore, but shown before": {"one at a time", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.tick(second)
			s.b.shown[s.a.name], s.b.latest = true, "8"
			s.rewind(false, false, "8")
			lose()
			s.work(s.b, 2)
			s.tick(second)
		}},
		"its own term wiped out, and not shown the one after it": {"", func(s *scene) { // the Lease was deleted in between
			_, lose, back := s.work(s.b, 1)
			s.tick(second)
			s.rewind(true, true, "")
			s.work(s.a, 2)
			s.tick(second)
			lose()
			back()
			s.work(s.b, 3)
			s.tick(second)
		}},
		"its own term wiped out, and shown the one after it": {"one at a time", func(s *scene) {
			_, lose, back := s.work(s.b, 1)
			s.tick(second)
			s.rewind(true, true, "")
			_, loseOther, _ := s.work(s.a, 2)
			s.tick(second)
			s.b.shown[s.a.name] = true
			lose()
			back()
			loseOther()
			s.work(s.b, 3)
			s.tick(second)
		}},
		"acquired by a write from before a restore": {"", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.tick(second)
			s.rewind(false, false, "")
			lose()
			s.b.early = time.Now()
			s.work(s.b, 2)
			s.tick(second)
		}},
		"wiped out by a restore, with another after it": {"", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.tick(second)
			s.rewind(true, true, "")
			lose()
			s.work(s.b, 2)
			s.rewind(true, false, "")
			s.tick(second)
		}},
		"wiped out by a restore, and shown too late": {"", func(s *scene) { // by a stale event
			_, lose, _ := s.work(s.a, 1)
			s.tick(second)
			s.rewind(true, true, "")
			lose()
			s.work(s.b, 2)
			s.b.shown[s.a.name] = true
			s.tick(second)
		}},
		"acquired, and wiped out by a restore before its work began": {"", func(s *scene) {
			s.a.acquired = time.Now()
			s.tick(second)
			s.rewind(true, true, "")
			_, lose, _ := s.work(s.a, 1)
			lose()
			s.work(s.b, 2)
			s.tick(second)
		}},
		"wiped out by a restore": {"", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.tick(second)
			s.rewind(true, true, "")
			lose()
			s.work(s.b, 2)
			s.tick(second)
		}},
		"wiped out for longer than a lease": {"one at a time", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.tick(second)
			s.rewind(true, true, "")
			lose()
			s.tick(14500 * time.Millisecond)
			s.b.acknowledged[s.b.name] = time.Now()
			s.work(s.b, 2)
			s.tick(second)
		}},
		"shipped anew, for one that knows no other": {"", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.tick(second)
			s.reshipped()
			lose()
			s.takes(s.b, "2")
			s.work(s.b, 2)
			s.tick(second)
		}},
		"shipped anew twice, the second time over the newcomer": {"", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.tick(second)
			s.reshipped()
			lose()
			s.takes(s.b, "2")
			s.work(s.b, 2)
			s.tick(second)
			s.reshipped()
			s.tick(second)
		}},
		"shipped anew twice, and the newcomer took it again": {"", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.tick(second)
			s.reshipped()
			lose()
			s.takes(s.b, "2")
			_, loseFirst, back := s.work(s.b, 2)
			s.tick(second)
			s.reshipped()
			loseFirst()
			back()
			s.takes(s.b, "3")
			s.work(s.b, 3)
			s.tick(second)
		}},
		"shipped anew, for one that knows the former": {"one at a time", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.takes(s.b, "1")
			s.tick(second)
			s.reshipped()
			lose()
			s.takes(s.b, "2")
			s.work(s.b, 2)
			s.tick(second)
		}},
		"shipped anew before both took it": {"one at a time", func(s *scene) {
			s.reshipped()
			s.tick(second)
			_, lose, _ := s.work(s.a, 1)
			lose()
			s.takes(s.b, "2")
			s.work(s.b, 2)
			s.tick(second)
		}},
		"shipped anew longer ago than a lease": {"one at a time", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.tick(second)
			s.reshipped()
			lose()
			s.tick(14500 * time.Millisecond)
			s.takes(s.b, "2")
			s.b.acknowledged[s.b.name] = time.Now()
			s.work(s.b, 2)
			s.tick(second)
		}},
		"both valid, after it was shipped anew": {"", func(s *scene) {
			s.a.validFor, s.b.validFor = func() time.Duration { return second }, func() time.Duration { return 1 }
			s.reshipped()
			s.tick(14 * second)
		}},
		"client-go beside ours, misled by an edit that put the Lease back": {"", func(s *scene) {
			s.b.node.Elector, s.w.plan.Faults = ClientGo, []Fault{{Kind: PutBack, Node: -1}}
			_, lose, _ := s.work(s.a, 1)
			lose()
			s.work(s.b, 2)
			s.tick(second)
		}},
		"the restored Lease had a holder": {"one at a time", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.tick(second)
			s.rewind(true, false, "")
			lose()
			s.work(s.b, 2)
			s.tick(second)
		}},
	})
}
