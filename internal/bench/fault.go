package main

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/scenario"
)

// fault is a row of the table: a script that both electors play, in virtual
// time, and what to tell of it.
type fault struct {
	name    string
	options scenario.Options
	rerun   bool // a client-go replica that lost runs again (replica.rerun)
	script  func(*scenario.Stage)
	tell    func(*seen) string
}

// play has e play the script in a bubble of its own.
func (f fault) play(t *testing.T, e elector) *seen {
	t.Helper()
	saw := &seen{}
	synctest.Test(t, func(*testing.T) {
		s := scenario.New(f.options, e.play(f.rerun))
		defer s.Close()
		observing := true
		s.OnWrite(func(w apiserver.Write) { // one at a time
			if observing {
				saw.writes = append(saw.writes, w)
			}
		})
		f.script(s)
		synctest.Wait() // nobody writes now
		observing = false
		saw.Terms, saw.TokensGrow = s.Terms(), s.TokensGrow()
		saw.Contexts, saw.Work = s.Overlap(false), s.Overlap(true)
		saw.Lease = s.Lease(scenario.Namespace, scenario.Lease)
	})
	return saw
}

// both plays the script to client-go's elector, then to hotseat's.
func (f fault) both(t *testing.T) (theirs, our *seen) {
	t.Helper()
	return f.play(t, peer()), f.play(t, ours())
}

// row is the table's line.
func (f fault) row(theirs, our *seen) string {
	return fmt.Sprintf("| %s | %s | %s |", f.name, f.tell(theirs), f.tell(our))
}

// seen is what happened on a stage until the script ended.
type seen struct {
	Terms      []scenario.Term
	Contexts   time.Duration // longest time for which two work contexts were alive together
	Work       time.Duration // the same until work had returned
	TokensGrow bool
	Lease      *coordv1.Lease
	writes     []apiserver.Write
}

// of returns the terms of one candidate.
func (s *seen) of(name string) []scenario.Term {
	var out []scenario.Term
	for _, term := range s.Terms {
		if term.Name == name {
			out = append(out, term)
		}
	}
	return out
}

// commit is a write of the Lease, in names of candidates.
type commit struct {
	by           string // empty: by hand
	from, to     string // holders; empty: nobody, or no Lease
	at           time.Time
	leaseDeleted bool
	transitions  int32
}

func (s *seen) commits() []commit {
	var out []commit
	for _, w := range s.writes {
		before, after := w.Leases()
		c := commit{by: w.User, from: holder(before), to: holder(after), at: w.Time, leaseDeleted: after == nil}
		if after != nil && after.Spec.LeaseTransitions != nil {
			c.transitions = *after.Spec.LeaseTransitions
		}
		out = append(out, c)
	}
	return out
}

// first returns the first commit that matches, the zero one if none does.
func (s *seen) first(match func(commit) bool) commit {
	for _, c := range s.commits() {
		if match(c) {
			return c
		}
	}
	return commit{}
}

// release is the first release by that candidate.
func (s *seen) release(by string) commit {
	return s.first(func(c commit) bool { return c.by == by && c.from != "" && c.to == "" })
}

// holder is the name of the candidate that holds a Lease: hotseat's identities
// are "<name>_<random>".
func holder(l *coordv1.Lease) string {
	if l == nil || l.Spec.HolderIdentity == nil {
		return ""
	}
	name, _, _ := strings.Cut(*l.Spec.HolderIdentity, "_")
	return name
}
