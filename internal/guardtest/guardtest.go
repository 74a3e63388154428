// Package guardtest is what every guard of ours must keep, as tests over one resource
// that stands behind it: a register with one value.
//
//   - [Suite.Conformance]: the public suite, package fencingtest.
//   - [Suite.Linearizable]: clients at once, answers lost, calls doubled and
//     late; and an order of the calls is looked for that explains all answers.
//   - [Suite.Hammer]: two actives at once, each sure that it is the one.
//   - [Recovery]: a row of internal/docs/guards.md.
package guardtest

import (
	"context"
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/fencingtest"
)

// Suite is a guard under test.
type Suite struct {
	// New returns a fresh resource that has no mark and no value. It cleans up
	// after itself by t.Cleanup.
	New func(t testing.TB) Subject

	// AnyScope: the guard keeps marks of any scope. Otherwise it is bound to
	// Scope and refuses others with fencing.ErrScope.
	AnyScope bool

	// Damage, if set, puts text where the guard stores the epoch of the mark of
	// Scope. All calls must then fail closed. Nil: there is no such place.
	Damage func(t testing.TB, s Subject, text string)

	// Break, if set, keeps all clients from the store, until repair is called.
	Break func(t testing.TB, s Subject) (repair func())
}

// Scope is that of all tokens of the suite but those of another scope.
const Scope = fencingtest.Scope

// Subject is a resource behind a guard: a register.
type Subject interface {
	// Client returns another client of it, with connections of its own. Its
	// methods are called by one goroutine at a time.
	Client(t testing.TB) Client
}

// Client is one client of the register.
type Client interface {
	fencing.Guard

	// Write sets the register to value, if the guard admits t. Where check and
	// effect are apart in time, between is called between them, possibly more
	// than once; it is never nil. Errors that are neither ErrStale, ErrConflict
	// nor another refusal of fencing, and ErrUnavailable, mean that the write may
	// have happened, or may yet happen.
	Write(ctx context.Context, t fencing.Token, value string, between func()) error

	// Read returns the value of the latest write, or "" when there was none.
	Read(ctx context.Context) (string, error)
}

// patience bounds every wait for something that must come. It is far above what
// any backend needs.
const patience = time.Minute

// Token returns the token of an epoch in Scope. Tokens with one epoch are of
// different terms when their terms are; 0 is as good as any.
func Token(epoch int64, term int) fencing.Token { return fencingtest.Token(epoch, term) }

// Conformance runs the public suite. Each guard that it asks for is another Client.
func (s Suite) Conformance(t *testing.T) {
	var subject Subject
	public := fencingtest.Suite{
		Open: func(t testing.TB) fencing.Guard {
			subject = s.New(t)
			return subject.Client(t)
		},
		Reopen: func(t testing.TB, _ fencing.Guard) fencing.Guard { return subject.Client(t) },
		Write: func(ctx context.Context, g fencing.Guard, t fencing.Token, value string, between func()) error {
			return g.(Client).Write(ctx, t, value, between) //nolint:forcetypeassert // ours
		},
		Read: func(ctx context.Context, g fencing.Guard) (string, error) {
			return g.(Client).Read(ctx) //nolint:forcetypeassert // ours
		},
		AnyScope: s.AnyScope,
	}
	if s.Damage != nil {
		public.Damage = func(t testing.TB, _ fencing.Guard, text string) { s.Damage(t, subject, text) }
	}
	if s.Break != nil {
		public.Break = func(t testing.TB, _ fencing.Guard) func() { return s.Break(t, subject) }
	}
	fencingtest.Run(t, public)
}

func nothing() {}
