//go:build unix

package redisfence_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// TestRecovery: the row of internal/docs/guards.md, by way of the server's own commands.
func TestRecovery(t *testing.T) {
	s := newSingle(t, server(t))
	do := func(words ...any) func(testing.TB) {
		return func(t testing.TB) { require.NoError(t, s.client.Do(t.Context(), words...).Err()) }
	}
	guard := func(t testing.TB) fencing.Guard { return s.guard(t, s.client, open) }
	guardtest.Recovery{Guard: guard, Lose: do("FLUSHDB"), Damage: do("SET", s.mark(), "seven"), Repair: do("DEL", s.mark())}.Run(t)
	do("DEL", s.mark())(t)
	guardtest.Recovery{Guard: guard, Lose: do("DEL", s.mark()), Damage: func(t testing.TB) { do("DEL", s.mark())(t); do("LPUSH", s.mark(), "x")(t) }, Repair: do("DEL", s.mark())}.Run(t)
}
