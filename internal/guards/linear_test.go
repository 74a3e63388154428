package guards

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/linear"
)

// access to a register: a write, one that may have come to nothing, or a read.
type access struct {
	kind, value int
}

func accessed(s int, a access) []int {
	switch {
	case a.kind == 0:
		return []int{a.value}
	case a.kind == 1:
		return []int{s, a.value}
	case a.value == s:
		return []int{s}
	default:
		return nil
	}
}

// TestLinearAgreesWithPorcupine: who judges all histories of guards is judged by somebody else's search.
func TestLinearAgreesWithPorcupine(t *testing.T) {
	theirs := (&porcupine.NondeterministicModel{
		Init: func() []any { return []any{0} },
		Step: func(s, in, _ any) (next []any) {
			for _, n := range accessed(s.(int), in.(access)) {
				next = append(next, n)
			}
			return next
		},
	}).ToModel()
	found := map[linear.Verdict]int{}
	for seed := range uint64(20_000) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var calls []linear.Call[access]
		var operations []porcupine.Operation
		for client := range 1 + rng.IntN(10) {
			from := rng.Int64N(20)
			c := linear.Call[access]{From: from, To: from + rng.Int64N(10), Call: access{rng.IntN(3), rng.IntN(3)}}
			if c.Call.kind == 1 && rng.IntN(2) == 0 {
				c.To = linear.Never
			}
			calls = append(calls, c)
			operations = append(operations, porcupine.Operation{ClientId: client, Input: c.Call, Call: c.From, Return: c.To})
		}
		want := linear.Unexplained
		if porcupine.CheckOperations(theirs, operations) {
			want = linear.Explained
		}
		require.Equal(t, want, linear.Check(linear.Model[int, access]{Step: accessed}, calls, time.Minute), "seed %d: %v", seed, calls)
		found[want]++
	}
	t.Log(found)
	require.Greater(t, found[linear.Explained], 1000)
	require.Greater(t, found[linear.Unexplained], 1000)
}
