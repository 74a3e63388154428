package sim

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// scene is a checker with two processes, told by a test what happens.
type scene struct {
	t *testing.T
	*checker
	a, b *process
}

func newScene(t *testing.T) *scene {
	w, err := newWorld(Plan{
		Timing: lease.Timing{}.WithDefaults(), Length: planLength, Nodes: make([]Node, 2),
		Faults: []Fault{{Kind: Label, Node: -1, At: time.Minute}},
	})
	require.NoError(t, err)
	s := &scene{t: t, checker: w.check}
	for i, p := range []**process{&s.a, &s.b} {
		n := &node{index: i}
		w.nodes = append(w.nodes, n)
		*p = newProcess(w, n, 1, name(i))
		(*p).acknowledged[name(i)] = time.Now() // its tokens carry its name
		n.process = *p
		(*p).elector, err = singleton.New(client{}, singleton.Config{Name: leaseName, Namespace: namespace, Identity: name(i)})
		require.NoError(t, err)
	}
	return s
}

// work has p begin a term; the returned functions end its context and its work.
func (s *scene) work(p *process, epoch int64) (j *job, lose, back func()) {
	ctx, cancel := context.WithCancel(context.Background())
	j = &job{process: p, ctx: ctx, began: time.Now(), valid: func() bool { return ctx.Err() == nil }, token: func() fencing.Token {
		return fencing.Token{Scope: namespace + "/" + leaseName, Epoch: epoch, Term: p.name}
	}}
	s.begin(j)
	return j, func() { cancel(); synctest.Wait() }, func() { s.end(j) }
}

// writes has p change the Lease, from holder, epoch and term to others.
func (s *scene) writes(p *process, before, after *coordv1.Lease) {
	s.serving = &message{from: p, sent: time.Now()}
	s.committed(change{old: before, new: after})
	s.serving = nil
}

func record(holder, epoch, term string) *coordv1.Lease {
	return &coordv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: leaseName, Annotations: map[string]string{
			lease.AnnotationEpoch: epoch, lease.AnnotationTerm: term, lease.AnnotationHolder: holder,
		}},
		Spec: coordv1.LeaseSpec{HolderIdentity: &holder},
	}
}

func announcement(p *process, epoch int64) *message {
	return &message{from: p, verb: verbAnnounce, toGuard: toGuard{token: fencing.Token{Epoch: epoch}}}
}

// tick lets time pass, as the driver sees it.
func (s *scene) tick(d time.Duration) {
	time.Sleep(d)
	s.step()
}

// TestEachRuleFires: none of the rules is blind, nor says what it should not.
func TestEachRuleFires(t *testing.T) {
	const second = time.Second
	for name, c := range map[string]struct {
		rule string // empty: nothing may be said
		play func(*scene)
	}{
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
		"the restored Lease had a holder": {"one at a time", func(s *scene) {
			_, lose, _ := s.work(s.a, 1)
			s.tick(second)
			s.rewind(true, false, "")
			lose()
			s.work(s.b, 2)
			s.tick(second)
		}},
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
		"a context that ends in time": {"", func(s *scene) { _, lose, _ := s.work(s.a, 1); time.Sleep(10 * second); lose(); s.tick(0) }},
		"nobody":                      {"always one again", func(s *scene) { s.tick(time.Minute + s.w.plan.patience() + 1) }},
		"nobody yet":                  {"", func(s *scene) { s.tick(time.Minute + s.w.plan.patience()) }},
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
		"Run fails": {"ends in order", func(s *scene) { s.returned(s.a, context.DeadlineExceeded) }},
		"no pause":  {"no haste", func(s *scene) { s.hurried() }},
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
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				c.play(s)
				rules := map[string]bool{}
				for _, v := range s.found {
					rules[v.Rule] = true
				}
				if c.rule == "" {
					require.Empty(t, s.found)
				} else {
					require.True(t, rules[c.rule], "%v", s.found)
				}
			})
		})
	}
}
