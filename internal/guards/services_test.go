package guards

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/services"
)

// TestServers installs what is missing.
func TestServers(t *testing.T) {
	for name, run := range map[string]func(testing.TB, ...string) *services.Server{
		"postgres": services.Postgres, "mariadb": services.MariaDB, "redis": services.Redis,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := run(t)
			connects := func() bool {
				conn, err := net.Dial("tcp", s.Addr())
				if err == nil {
					_ = conn.Close()
				}
				return err == nil
			}
			require.True(t, connects())
			require.NoError(t, s.Freeze())
			require.NoError(t, s.Thaw())

			pid := s.PID()
			require.NotZero(t, pid)
			s.Kill()
			require.Zero(t, s.PID())
			require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
			require.False(t, connects())
			require.Error(t, s.Freeze())

			require.NoError(t, s.Restart(t.Context()))
			require.True(t, connects())
			require.NotEqual(t, pid, s.PID())
			s.Close()
			require.False(t, connects())
		})
	}
}
