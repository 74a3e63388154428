//go:build unix

package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/controlplane"
	"github.com/hotseat-go/hotseat/internal/services"
)

// kineOnSQLite is what k3s runs on one server: kine, with a file, in etcd's place.
func kineOnSQLite(t *testing.T) (*controlplane.Cluster, []scenario) {
	c := ownClusterOf(t, controlplane.Options{Layout: controlplane.Layout{Kine: "sqlite://"}})
	return c, kineFaults()
}

// kineOnPostgres is what k3s runs with an external database.
func kineOnPostgres(t *testing.T) (*controlplane.Cluster, []scenario) {
	database := services.Postgres(t)
	c := ownClusterOf(t, controlplane.Options{Layout: controlplane.Layout{Kine: database.DSN()}})
	return c, append(kineFaults(),
		scenario{name: "PostgreSQL killed, restarted", limits: slack, play: func(l *lab) {
			from := l.begin("the restart", nil)
			database.Kill()
			l.rest(outage())
			require.NoError(l.t, database.Restart(l.t.Context()))
			l.back(from)
		}},
		scenario{name: "PostgreSQL frozen past the lease", limits: slack, play: func(l *lab) {
			from := l.begin("the freeze", nil)
			require.NoError(l.t, database.Freeze())
			l.rest(outage())
			require.NoError(l.t, database.Thaw())
			l.back(from)
		}},
	)
}

// kinesOnPostgres is what k3s runs on two servers with an external database: each has a kine of its
// own, which learns of the other's writes when it looks, each second.
func kinesOnPostgres(t *testing.T) (*controlplane.Cluster, []scenario) {
	database := services.Postgres(t)
	c := ownClusterOf(t, controlplane.Options{Layout: controlplane.Layout{
		Members: 2, Servers: 2, Kine: database.DSN(),
	}})
	balance(t, c)
	return c, append(eachServer(),
		scenario{name: "each kine killed, restarted", limits: slack, play: func(l *lab) {
			l.inTurn("the kill", len(l.Members), l.killMember, l.startMember)
		}},
	)
}

// kineFaults are done to the first kine.
func kineFaults() []scenario {
	return []scenario{
		{name: "kine killed, restarted", limits: slack, play: func(l *lab) {
			from := l.begin("the restart", nil)
			l.killMember(0)
			l.rest(outage())
			l.startMember(0)
			l.back(from)
		}},
		{name: "kine frozen past the lease", limits: slack, play: func(l *lab) {
			from := l.begin("the freeze", nil)
			require.NoError(l.t, l.Members[0].Freeze())
			l.rest(outage())
			require.NoError(l.t, l.Members[0].Thaw())
			l.back(from)
		}},
	}
}
