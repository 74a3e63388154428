package sim

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

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
		(*p).elector, err = singleton.New(client{}, singleton.Config{Name: leaseName, Namespace: namespace, Replica: singleton.ReplicaConfig{Identity: name(i)}})
		require.NoError(t, err)
	}
	return s
}

// work has p begin a term; the returned functions end its context and its work.
func (s *scene) work(p *process, epoch int64) (j *job, lose, back func()) {
	ctx, cancel := context.WithCancel(context.Background())
	j = &job{process: p, ctx: ctx, began: time.Now(), progress: func() {}, valid: func() bool { return ctx.Err() == nil }, token: func() fencing.Token {
		return fencing.Token{Scope: fencing.Scope(namespace, leaseName), Epoch: epoch, Term: p.name}
	}}
	s.begin(j)
	return j, func() { cancel(); synctest.Wait() }, func() { s.end(j) }
}

// takes has p be shown a Lease, and take it now.
func (s *scene) takes(p *process, uid types.UID) {
	l := record(p.name, "1", p.name)
	l.UID = uid
	if s.born[uid].IsZero() {
		s.born[uid] = time.Now()
	}
	s.watched(p, l)
	p.acquired = time.Now()
}

// writes has p change the Lease, from holder, epoch and term to others.
func (s *scene) writes(p *process, before, after *coordv1.Lease) {
	s.serving = &message{from: p, sent: time.Now()}
	s.committed(change{old: before, new: after})
	s.serving = nil
}

// releases has b release a Lease that a restore put back, by a request sent that long before it.
func (s *scene) releases(before time.Duration) {
	s.rewind(true, false, "")
	mine := s.b.elector.Identity()
	s.serving = &message{from: s.b, sent: time.Now().Add(-before)}
	s.committed(change{old: record(mine, "1", "earlier"), new: record("", "1", "earlier")})
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

// answers has p hear that a write which it sent made the Lease what it is.
func (s *scene) answers(p *process, sent time.Time, stored *coordv1.Lease) {
	m := &message{from: p, verb: "patch", sent: sent}
	s.answered(m, answer{object: stored})
}

// renewal is one of p's, as it is sent.
func renewal(p *process) *message {
	return &message{
		from: p, verb: "patch", sent: time.Now(), deadline: time.Now().Add(second),
		query: query{patch: []byte(`[{"op":"add","path":"/spec/renewTime","value":null}]`)},
	}
}

func announcement(p *process, epoch int64) *message {
	return &message{from: p, verb: verbAnnounce, toGuard: toGuard{token: fencing.Token{Epoch: epoch}}}
}

// jam has the server's cache show another Lease than is stored, of one version.
func (s *scene) jam() {
	l, err := s.w.store.get()
	require.NoError(s.t, err)
	l.UID = "another"
	s.w.store.ahead = &past{revision: s.w.store.revision(), lease: l}
}

// slow has writes take 3 s for a while, from the first second on.
func (s *scene) slow(d time.Duration) {
	p := &s.w.plan
	p.Faults = append(p.Faults, Fault{Kind: SlowWrites, Node: -1, At: second, For: d, N: 3000})
	s.patience, s.settled = p.patience(), s.w.began.Add(p.settled())
}

// tick lets time pass, as the driver sees it.
func (s *scene) tick(d time.Duration) {
	time.Sleep(d)
	s.step()
}

// ruleCase is what happens, and which rule it breaks.
type ruleCase struct {
	rule string // empty: nothing may be said
	play func(*scene)
}

// fires requires that none of the rules is blind, nor says what it should not.
func fires(t *testing.T, cases map[string]ruleCase) {
	for name, c := range cases {
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

const second = time.Second
