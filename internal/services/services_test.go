//go:build unix

package services

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMissingServer(t *testing.T) {
	if os.Getuid() == 0 || os.Getenv("CI") != "" {
		t.Skip("root and CI install what is missing")
	}
	_, err := install(t.Context(), kind{name: "nosuch", pkg: "nosuch", find: binary("no-such-server")})
	require.ErrorIs(t, err, ErrMissing)
	require.ErrorContains(t, err, "apt-get install nosuch")
}

func TestLockIsExclusive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, errors.New("enough"))
	defer cancel()
	_, err = lock(ctx, path)
	require.ErrorContains(t, err, "enough")
	unlock()
	unlock, err = lock(t.Context(), path)
	require.NoError(t, err)
	unlock()
}
