package grpcfence_test

import (
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// poured is the register whose clients write through streams.
type poured struct{ *register }

func (p poured) Client(t testing.TB) guardtest.Client {
	c := p.register.Client(t).(*registerClient) //nolint:forcetypeassert // ours
	c.pour = true
	return c
}

func suites(odds int) map[string]guardtest.Suite {
	start := func(t testing.TB) *register { return (&register{odds: odds}).serve(t) }
	return map[string]guardtest.Suite{
		"Unary":  {New: func(t testing.TB) guardtest.Subject { return start(t) }},
		"Stream": {New: func(t testing.TB) guardtest.Subject { return poured{start(t)} }},
	}
}

func TestGuard(t *testing.T) {
	for name, suite := range suites(0) {
		t.Run(name, func(t *testing.T) {
			t.Run("Conformance", suite.Conformance)
			t.Run("Hammer", func(t *testing.T) { suite.Hammer(t, time.Second) })
		})
	}
}

// A lost connection leaves all calls on it unknown, which porcupine must try at every place: few losses, short histories.
func TestGuardLinearizable(t *testing.T) {
	for name, suite := range suites(40) {
		t.Run(name, func(t *testing.T) { suite.Linearizable(t, guardtest.Load{Rounds: 6, Calls: 25}) })
	}
}
