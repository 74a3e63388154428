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
