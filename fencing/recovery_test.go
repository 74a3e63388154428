package fencing_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// The rows of internal/docs/guards.md for the guards of this package.
func TestRecovery(t *testing.T) {
	t.Run("Memory", func(t *testing.T) {
		var guard *fencing.Memory
		restart := func(t testing.TB) { guard = newMemory(t, 0) }
		restart(t)
		guardtest.Recovery{Guard: func(testing.TB) fencing.Guard { return guard }, Lose: restart, Repair: restart}.Run(t)
	})
	t.Run("Memory that is told a mark kept elsewhere", func(t *testing.T) {
		before := newMemory(t, 0)
		require.NoError(t, before.Announce(t.Context(), token(5)))
		kept := mark(t, before)
		after := newMemory(t, 0)
		require.NoError(t, after.Announce(t.Context(), kept)) // before it serves
		require.ErrorIs(t, after.Check(t.Context(), token(4)), fencing.ErrStale)
	})
	t.Run("Durable", func(t *testing.T) {
		store := newShelf()
		put := func(mark fencing.Token) func(testing.TB) {
			return func(testing.TB) {
				store.version++
				store.marks[guardtest.Scope] = mark
			}
		}
		guardtest.Recovery{
			Guard: func(t testing.TB) fencing.Guard { return newDurable(t, store) },
			Lose:  put(fencing.Token{}), Damage: put(fencing.Token{Scope: guardtest.Scope, Epoch: 7}), Repair: put(fencing.Token{}),
		}.Run(t)
	})
	t.Run("Durable remembers what its store forgot", func(t *testing.T) {
		store := newShelf()
		g := newDurable(t, store)
		require.NoError(t, g.Announce(t.Context(), token(1<<40)))
		store.put(fencing.Token{Scope: guardtest.Scope})
		store.marks = map[string]fencing.Token{}
		require.ErrorIs(t, g.Announce(t.Context(), token(7)), fencing.ErrStale, "a mark is repaired while no process uses it")
		require.NoError(t, newDurable(t, store).Announce(t.Context(), token(7)))
	})
}
