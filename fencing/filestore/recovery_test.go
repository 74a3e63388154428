//go:build unix

package filestore

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// The row of internal/docs/guards.md.
func TestRecovery(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, fileName(guardtest.Scope))
	remove := func(t testing.TB) { require.NoError(t, os.Remove(path)) }
	guardtest.Recovery{
		Guard: func(t testing.TB) fencing.Guard { return guardOver(t, open(t, dir)) },
		Lose:  remove,
		Damage: func(t testing.TB) {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, data[:len(data)-1], 0o600))
		},
		Repair: remove,
	}.Run(t)
}
