package sim

import (
	"context"
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// TestRequestRules: tokens, deadlines, writes and what else a process asks for.
func TestRequestRules(t *testing.T) {
	fires(t, map[string]ruleCase{
		"an epoch twice": {"tokens grow", func(s *scene) { _, lose, back := s.work(s.a, 4); lose(); back(); s.work(s.b, 4) }},
		"an epoch again, restored": {"", func(s *scene) {
			_, lose, back := s.work(s.a, 4)
			lose()
			back()
			s.rewind(false, false, "")
			s.b.era = 1
			s.work(s.b, 4)
		}},
		"again after the restore": {"tokens grow", func(s *scene) {
			s.rewind(false, false, "")
			s.a.era, s.b.era = 1, 1
			_, lose, back := s.work(s.a, 4)
			lose()
			back()
			s.work(s.b, 4)
		}},
		"a context that lasts": {"deadline", func(s *scene) { s.work(s.a, 1); s.tick(10*second + 1) }},
		"a context that ends late": {"deadline", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			time.Sleep(10*second + 1)
			lose() // before the driver looks
		}},
		"valid for too long": {"deadline", func(s *scene) {
			j, lose, _ := s.work(s.a, 1)
			j.valid = func() bool { return true }
			lose()
			s.tick(10*second + 1)
		}},
		"acknowledged": {"", func(s *scene) {
			s.work(s.a, 1)
			s.tick(5 * second)
			s.answers(s.a, time.Now(), record("a", "1", "a"))
			s.tick(9 * second)
		}},
		"acknowledged, of which the last sent was answered first": {"", func(s *scene) {
			s.work(s.a, 1)
			s.tick(5 * second)
			s.answers(s.a, time.Now(), record("a", "1", "a"))
			s.answers(s.a, time.Now().Add(-3*second), record("a", "1", "a"))
			s.tick(9 * second)
		}},
		"acknowledged late: it counts from its sending": {"deadline", func(s *scene) {
			s.work(s.a, 1)
			s.tick(5 * second)
			s.answers(s.a, time.Now().Add(-3*second), record("a", "1", "a"))
			s.tick(7*second + 1)
			s.tick(second)
		}},
		"acknowledged, of another term": {"deadline", func(s *scene) {
			s.work(s.a, 1)
			s.tick(5 * second)
			s.answers(s.a, time.Now(), record("a", "1", "before"))
			s.tick(5*second + 1)
		}},
		"acknowledged, of nobody": {"deadline", func(s *scene) { // a release
			s.work(s.a, 1)
			s.tick(5 * second)
			s.answers(s.a, time.Now(), record("", "1", "a"))
			s.tick(5*second + 1)
		}},
		"a term raised by a patch": {"", func(s *scene) {
			me := s.a.elector.Identity()
			s.writes(s.a, record(me, "4", "t"), record(me, "9", "t"))
		}},
		"a context that ends in time": {"", func(s *scene) { _, lose, _ := s.work(s.a, 1); time.Sleep(10 * second); lose(); s.tick(0) }},
		"nobody":                      {"always one again", func(s *scene) { s.tick(time.Minute + s.w.plan.patience() + 1) }},
		"nobody, while the server refuses every write": {"", func(s *scene) {
			s.jam()
			s.tick(2*time.Minute + s.w.plan.patience())
			s.w.store.restart()
			s.tick(s.w.plan.patience())
		}},
		"nobody, after the server refused every write": {"always one again", func(s *scene) {
			s.jam()
			s.tick(2*time.Minute + s.w.plan.patience())
			s.w.store.restart()
			s.tick(s.w.plan.patience() + 1)
		}},
		"written by the server over another's": {"", func(s *scene) {
			s.serving = &message{from: s.a, sent: time.Now()}
			s.committed(change{old: record("b", "4", "t"), new: record(s.a.elector.Identity(), "3", "u"), blind: true})
			s.serving = nil
		}},
		"nobody, the server being slow": {"always one again", func(s *scene) {
			s.slow(5 * time.Minute)
			s.tick(time.Minute + s.w.plan.Timing.LeaseDuration + 16*second)
		}},
		"nobody yet, the server being slow": {"", func(s *scene) {
			s.slow(5 * time.Minute)
			s.tick(time.Minute + s.w.plan.Timing.LeaseDuration + 15*second)
		}},
		"nobody, the server having been slow": {"always one again", func(s *scene) {
			s.slow(10 * second)
			s.tick(time.Minute + s.w.plan.Timing.LeaseDuration + second)
		}},
		"nobody yet": {"", func(s *scene) { s.tick(time.Minute + s.w.plan.patience()) }},
		"renewal over another's": {"no write over another's record", func(s *scene) {
			s.writes(s.a, record("b", "4", "t"), record(s.a.elector.Identity(), "4", "t"))
		}},
		"an epoch lowered by its holder": {"tokens grow", func(s *scene) {
			me := s.a.elector.Identity()
			s.writes(s.a, record(me, "4", "t"), record(me, "3", "t"))
		}},
		"acquired without a new epoch": {"tokens grow", func(s *scene) {
			s.writes(s.a, record("b", "4", "t"), record(s.a.elector.Identity(), "4", "u"))
		}},
		"its own old term over its new one": {"tokens grow", func(s *scene) {
			me := s.a.elector.Identity()
			s.writes(s.a, record(me, "5", "u"), record(me, "4", "t"))
		}},
		"by accident, after a rewind": {"", func(s *scene) {
			s.rewind(false, false, "")
			time.Sleep(9 * second)
			s.writes(s.a, record("b", "4", "t"), record(s.a.elector.Identity(), "4", "t"))
		}},
		"long after a rewind": {"no write over another's record", func(s *scene) {
			s.rewind(false, false, "")
			time.Sleep(10 * second)
			s.writes(s.a, record("b", "4", "t"), record(s.a.elector.Identity(), "4", "t"))
		}},
		"released at work": {"release after work", func(s *scene) {
			s.work(s.a, 4)
			s.writes(s.a, record(s.a.elector.Identity(), "4", "t"), record("", "4", "t"))
		}},
		"a request without an end": {"deadlines", func(s *scene) { s.requested(&message{from: s.a, verb: "watch"}) }},
		"a request with a late end": {"deadlines", func(s *scene) {
			s.requested(&message{from: s.a, verb: "get", sent: time.Now(), deadline: time.Now().Add(11 * second)})
		}},
		"a request with a short end": {"", func(s *scene) {
			s.requested(&message{from: s.a, verb: "get", sent: time.Now(), deadline: time.Now().Add(10 * second)})
		}},
		"a standby that polls": {"traffic", func(s *scene) {
			time.Sleep(s.w.plan.quiet() + 1)
			for range 2 * int((planLength-s.w.plan.quiet())/(2*second)) {
				s.requested(&message{from: s.b, verb: "get", sent: time.Now(), deadline: time.Now().Add(second)})
			}
			s.checkTraffic()
		}},
		"an active that renews": {"", func(s *scene) {
			for time.Sleep(s.w.plan.quiet() + 1); s.w.now() < planLength; time.Sleep(2 * second) {
				s.requested(renewal(s.a))
			}
			s.checkTraffic()
		}},
		"an active that renews too often": {"traffic", func(s *scene) {
			for time.Sleep(s.w.plan.quiet() + 1); s.w.now() < planLength; time.Sleep(1500 * time.Millisecond) {
				s.requested(renewal(s.a))
			}
			s.checkTraffic()
		}},
		"an active that takes the Lease again and again": {"traffic", func(s *scene) {
			for time.Sleep(s.w.plan.quiet() + 1); s.w.now() < planLength; time.Sleep(2 * second) {
				m := renewal(s.a)
				m.patch = []byte(`[{"op":"add","path":"/spec","value":{}}]`)
				s.requested(m)
			}
			s.checkTraffic()
		}},
		"Run fails": {"ends in order", func(s *scene) { s.returned(s.a, context.DeadlineExceeded) }},
		"no pause":  {"no haste", func(s *scene) { s.hurried() }},
		"no pause of client-go's": {"", func(s *scene) {
			s.w.plan.Nodes[1].Elector = ClientGo
			s.hurried()
		}},
		"no pause, beside client-go": {"no haste", func(s *scene) {
			s.w.plan.Nodes[1].Elector = ClientGo
			for range maxSteps / 4 {
				s.requested(&message{from: s.a, verb: "get", sent: time.Now(), deadline: time.Now().Add(second)})
			}
			s.hurried()
		}},
		"an effect after a newer token was admitted": {"guard", func(s *scene) {
			j, _, _ := s.work(s.a, 1)
			m, n := &message{from: s.a, verb: verbWrite, toGuard: toGuard{job: j, token: j.token()}}, announcement(s.b, 2)
			for _, call := range []*message{m, n} {
				s.invoked(call)
				s.arrived(call)
				s.decided(call, nil)
			}
			s.affected(m)
		}},
		"a lower token admitted": {"guard", func(s *scene) {
			for _, epoch := range []int64{2, 1} {
				m := announcement(s.a, epoch)
				s.invoked(m)
				s.arrived(m)
				s.decided(m, nil)
			}
		}},
		"the current token refused": {"guard", func(s *scene) {
			m := announcement(s.a, 2)
			s.invoked(m)
			s.arrived(m)
			s.decided(m, fencing.ErrStale)
		}},
	})
}
