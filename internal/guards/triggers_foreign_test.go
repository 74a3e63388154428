package guards

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// TestTriggersThroughAForeignTable: postgres_fdw's session has a search_path of its own, and the
// token that its server's options give it.
func TestTriggersThroughAForeignTable(t *testing.T) {
	d, c := triggered(t, postgres)
	old, now := guardtest.Token(5, 0), guardtest.Token(6, 0)
	require.NoError(t, c.Announce(t.Context(), now))
	host, port, err := net.SplitHostPort(d.server.server(t).Addr())
	require.NoError(t, err)
	d.do(t, "CREATE EXTENSION IF NOT EXISTS postgres_fdw")
	// through writes by way of a foreign table whose session carries options.
	through := func(name, options string) error {
		far := fmt.Sprintf("far_%s_%d", name, d.n)
		d.do(t,
			"CREATE SERVER "+far+" FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '"+host+"', port '"+port+"', dbname 'postgres', options '"+options+"')",
			"CREATE USER MAPPING FOR CURRENT_USER SERVER "+far+" OPTIONS (user 'postgres')",
			"CREATE FOREIGN TABLE "+far+" (id int, value text) SERVER "+far+" OPTIONS (table_name '"+d.register()+"')")
		_, err := d.admin.ExecContext(t.Context(), "UPDATE "+far+" SET value = '"+name+"' WHERE id = 1")
		return err
	}
	require.NoError(t, through("now", "-c hotseat.token="+now.String()))
	require.Equal(t, "now", d.value(t))
	err = through("old", "-c hotseat.token="+old.String())
	require.ErrorContains(t, err, "does not carry the current fencing token")
	require.ErrorContains(t, err, old.String())
	require.ErrorContains(t, through("none", "-c application_name=none"), "it carries none")
	require.Equal(t, "now", d.value(t))
}
