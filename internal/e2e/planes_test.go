//go:build unix

package e2e

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/controlplane"
	"github.com/hotseat-go/hotseat/internal/e2e/trial"
	"github.com/hotseat-go/hotseat/internal/leasetest"
)

// plane is a control plane as people run it, other than one API server on one etcd.
type plane struct {
	name   string
	short  bool // part of the short run
	start  func(*testing.T) (*controlplane.Cluster, []scenario)
	spread bool // requests go over connections of their own
	forget bool // it can be made to forget old versions
}

func planes() []plane {
	return []plane{
		{name: "three members of etcd", start: threeMembers},
		{name: "two API servers", start: twoServers, spread: true, short: true},
		{name: "coordinated leader election", start: coordinated, short: true},
		{name: "kine on SQLite", start: kineOnSQLite, forget: true},
		{name: "kine on PostgreSQL", start: kineOnPostgres, forget: true},
		{name: "two API servers, each on a kine of its own", start: kinesOnPostgres, spread: true},
	}
}

// TestPlanes holds other control planes to the contract, and plays the short scenarios and some of
// their own on them.
func TestPlanes(t *testing.T) {
	table := &trial.Table{}
	defer func() { publish(section{place: 1, title: "Other control planes", table: table}) }()
	place := 0
	for _, p := range planes() {
		t.Run(p.name, func(t *testing.T) {
			if testing.Short() && !p.short {
				t.Skip("not part of the short run")
			}
			c, own := p.start(t)
			noteStore(c)
			require.NoError(t, c.Namespace(t.Context(), "contract"))
			t.Run("contract", func(t *testing.T) {
				server := genuine{cluster: c, anew: p.spread}
				if p.forget {
					leasetest.Run(t, breakable{server})
					return
				}
				leasetest.Run(t, server)
			})
			for _, s := range slices.Concat(usual(), own) {
				if testing.Short() && !s.short {
					continue
				}
				place++
				name := s.name
				s.name = p.name + ": " + name
				// One at a time: some of these planes are many processes.
				t.Run(name, func(t *testing.T) { s.run(t, c, place, table) })
			}
		})
	}
}

// usual are the scenarios of TestFaults' short run. Of them a short run here plays two.
func usual() []scenario {
	all := slices.Concat(processFaults(), wireFaults())
	return slices.DeleteFunc(all, func(s scenario) bool {
		brief := s.name == "SIGKILL of the active" || s.name == "partition of the active"
		return !s.short || testing.Short() && !brief
	})
}

// inTurn does something to each of several parts, one after the other, while the rest goes on: when
// writes succeed again, somebody has to be active.
func (l *lab) inTurn(what string, n int, strike, mend func(int)) {
	l.t.Helper()
	for i := range n {
		l.strikeOne(what, i, strike, mend)
	}
}

func (l *lab) strikeOne(what string, i int, strike, mend func(int)) {
	l.t.Helper()
	l.begin(what, nil)
	strike(i)
	l.answers()
	l.over()
	l.rest(outage())
	l.active()
	mend(i)
	l.rest(settled)
}
