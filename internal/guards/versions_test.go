package guards

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/services"
)

// TestVersions prints the versions that the guide's page on stores names: those that all tests here
// run on.
func TestVersions(t *testing.T) {
	for _, b := range []struct {
		backend
		query string
	}{{postgres, "SHOW server_version"}, {mariadb, "SELECT VERSION()"}, {sqlite, "SELECT sqlite_version()"}} {
		var version string
		require.NoError(t, b.database(t).admin.QueryRowContext(t.Context(), b.query).Scan(&version))
		require.NotEmpty(t, version)
		t.Logf("%s %s", b.name, version)
	}
	services.Redis(t) // installs it
	version, err := exec.CommandContext(t.Context(), "redis-server", "--version").Output()
	require.NoError(t, err)
	t.Logf("%s", version)
}
