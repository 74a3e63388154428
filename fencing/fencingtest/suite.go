// Package fencingtest checks that your own guard keeps the rules of [fencing.Guard].
//
//	func TestGuard(t *testing.T) {
//		fencingtest.Run(t, fencingtest.Suite{
//			Open: func(t testing.TB) fencing.Guard { return newGuard(t, emptyTable(t)) },
//		})
//	}
//
// That tests Announce, and also Check and Enter if the guard has them. The other fields of [Suite]
// say how to write behind the guard, how another process reaches the same resource, and how its
// store fails. Set every field that applies to your guard: each one lets the suite check more. A
// test that needs a field you did not set is skipped, and its message names the field.
//
// The suite needs no more than a few seconds, the standard library, and tokens of one scope
// ([Scope]). It does not prove a guard right. Whether marks last is tested only through Reopen.
// Test a crash of your store yourself.
package fencingtest

import (
	"cmp"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// Suite is a guard under test. Only Open is required.
type Suite struct {
	// Open returns a guard over a fresh resource, which has no mark and no value. It cleans up after
	// itself by t.Cleanup. Each test opens one or more, one after the other.
	Open func(t testing.TB) fencing.Guard

	// Reopen returns a second guard over the resource of g, as another process, or the same one
	// after a restart, would open it. g is the guard that was opened last. The second guard shares
	// no memory with g. Nil: all marks are in g itself.
	Reopen func(t testing.TB, g fencing.Guard) fencing.Guard

	// Write sets the resource's one value under token, if g admits that. It calls its last argument,
	// the function named between, after the check and before the effect, once or more often. If check
	// and effect are one atomic step, it calls the function before that step. If Write returns an
	// error that is none of the kinds of package fencing, the suite assumes that the write may have
	// happened, or may yet happen. Nil: effects are made between Enter and leave, if g is a
	// [fencing.Tracker].
	Write func(
		ctx context.Context, g fencing.Guard, token fencing.Token, value string, between func(),
	) error

	// Read returns the latest value, or "" if there is none. Set it together with Write.
	Read func(ctx context.Context, g fencing.Guard) (string, error)

	// Damage takes the mark that is stored for [Scope], and replaces its epoch with the text. Nil:
	// the mark cannot be damaged.
	Damage func(t testing.TB, g fencing.Guard, text string)

	// Break cuts g off from its store until repair is called.
	Break func(t testing.TB, g fencing.Guard) (repair func())

	// AnyScope: the guard keeps a mark for each scope. Else it is for Scope, and refuses others with
	// [fencing.ErrScope].
	AnyScope bool

	// Hammer is how long the subtest of that name runs. Default: 1 s.
	Hammer time.Duration
}

// Scope is the scope of the suite's tokens, except in the tests of a foreign scope.
const Scope = "shop/invoicer"

// Token returns the token of an epoch in [Scope]. Two tokens with the same epoch belong to
// different terms if they were made with different values of term. If that does not matter, pass 0.
func Token(epoch int64, term int) fencing.Token {
	return fencing.Token{Scope: Scope, Epoch: epoch, Term: fmt.Sprintf("%016x%016x", term, epoch)}
}

// patience bounds each test, but for the time of Hammer.
const patience = time.Minute

// rule is one test. It notes in p what it finds.
type rule struct {
	name string
	run  func(p *probe)
}

func rules() []rule {
	return []rule{
		{"NothingYet", nothingYet},
		{"AnnouncedIsAdmitted", announcedIsAdmitted},
		{"OlderIsRefused", olderIsRefused},
		{"EffectsRaise", effectsRaise},
		{"OneEpochTwoTerms", oneEpochTwoTerms},
		{"NumbersAreExact", numbersAreExact},
		{"MissingToken", missingToken},
		{"Unfenced", unfenced},
		{"MalformedToken", malformedToken},
		{"OtherScope", otherScope},
		{"MalformedScope", malformedScope},
		{"MarkOutlivesTheGuard", markOutlivesTheGuard},
		{"DamagedMark", damagedMark},
		{"BrokenStore", brokenStore},
		{"RaisedTogether", raisedTogether},
		{"Parked", parked},
		{"ParkedRaise", parkedRaise},
		{"Hammer", hammer},
	}
}

// Run runs the suite as subtests of t.
func Run(t *testing.T, s Suite) {
	t.Helper()
	if s.Open == nil || (s.Write == nil) != (s.Read == nil) {
		t.Fatal("fencingtest: Suite.Open must be set, and Write and Read both or none")
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			p := s.play(t, r)
			if p.skipped != "" {
				t.Skip("fencingtest: " + p.skipped)
			}
			for _, finding := range p.findings {
				t.Error(finding)
			}
		})
	}
}

// play runs one test.
func (s Suite) play(t testing.TB, r rule) *probe {
	ctx, cancel := context.WithTimeout(t.Context(), patience+s.Hammer)
	defer cancel()
	s.Hammer = cmp.Or(s.Hammer, time.Second)
	p := &probe{Suite: s, t: t, ctx: ctx}
	p.open()
	r.run(p)
	return p
}
