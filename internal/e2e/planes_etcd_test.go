//go:build unix

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/controlplane"
	"github.com/hotseat-go/hotseat/internal/e2e/trial"
	"github.com/hotseat-go/hotseat/internal/services"
)

// threeMembers is one API server that asks three members of etcd.
func threeMembers(t *testing.T) (*controlplane.Cluster, []scenario) {
	c := ownClusterOf(t, controlplane.Options{Layout: controlplane.Layout{Members: 3}})
	return c, []scenario{
		{name: "etcd's leader killed, restarted", limits: slack, play: func(l *lab) {
			l.strikeOne("the kill", l.leader(), l.killMember, l.startMember)
		}},
		{name: "etcd's leader cut off, mended", limits: slack, play: func(l *lab) {
			l.strikeOne("the cut", l.leader(), l.cutMember, l.mendMember)
		}},
		{name: "etcd without a majority", limits: slack, play: func(l *lab) {
			leader := l.leader()
			other := (leader + 1) % len(l.Members)
			from := l.begin("the loss", nil)
			l.killMember(leader)
			l.killMember(other)
			l.rest(outage())
			l.startMember(other)
			l.back(from)
			l.startMember(leader)
		}},
	}
}

func (l *lab) leader() int {
	l.t.Helper()
	leader, err := l.Leader(l.t.Context())
	require.NoError(l.t, err)
	return leader
}

func (l *lab) killMember(i int) { l.Members[i].Kill() }

func (l *lab) startMember(i int) { require.NoError(l.t, l.StartMember(l.t.Context(), i)) }

// cutMember returns when another member leads, if this one did.
func (l *lab) cutMember(i int) {
	l.Cut(i)
	require.Eventually(l.t, func() bool { return l.leader() != i }, endurance, 50*time.Millisecond)
}

func (l *lab) mendMember(i int) {
	l.Mend(i)
	require.NoError(l.t, l.AwaitMember(l.t.Context(), i))
}

// balancer is HAProxy before two API servers, set up as the documents of kubeadm have it: what a
// server that is down had, it keeps.
const balancer = `defaults
    mode tcp
    timeout connect 1s
    timeout client 1h
    timeout server 1h

frontend kubernetes
    bind "${LISTEN}"
    default_backend servers

backend servers
    option httpchk
    http-check connect ssl
    http-check send meth GET uri /readyz
    http-check expect status 200
    timeout check 1s
    balance roundrobin
    default-server check verify none inter 500ms fall 2 rise 1
    server a "${A}"
    server b "${B}"
`

// twoServers are two API servers behind a balancer, each of which asks its own member of three.
func twoServers(t *testing.T) (*controlplane.Cluster, []scenario) {
	var wires []*trial.Wire
	c := ownClusterOf(t, controlplane.Options{Layout: controlplane.Layout{
		Members: 3, Servers: 2,
		Via: func(_ int, address string) (string, error) {
			w, err := trial.NewWire("etcd", address)
			if err != nil {
				return "", err
			}
			t.Cleanup(w.Close)
			wires = append(wires, w)
			return w.Address(), nil
		},
	}})
	balance(t, c)
	servers := len(c.Servers)
	return c, append(eachServer(),
		scenario{name: "each API server 1.5 s behind etcd", limits: slack, play: func(l *lab) {
			l.inTurn("the lag", servers,
				func(i int) { require.NoError(l.t, wires[i].AnswerLate(1500*time.Millisecond)) },
				func(i int) { wires[i].Heal() })
		}},
		scenario{name: "each API server's etcd cut off, mended", limits: slack, play: func(l *lab) {
			l.inTurn("the cut", servers, l.cutMember, l.mendMember)
		}},
	)
}

// balance has clients reach two API servers through a balancer.
func balance(t *testing.T, c *controlplane.Cluster) {
	servers := map[string]string{"A": c.ServerAddress(0), "B": c.ServerAddress(1)}
	b := services.HAProxy(t, balancer, servers)
	require.NoError(t, c.Through(b.Addr()))
}

// eachServer are faults of one of two API servers.
func eachServer() []scenario {
	return []scenario{
		{name: "each API server killed, restarted", limits: slack, short: true, play: func(l *lab) {
			l.inTurn("the kill", len(l.Servers),
				func(i int) { l.Servers[i].Kill() },
				func(i int) { require.NoError(l.t, l.StartServer(l.t.Context(), i)) })
		}},
		{name: "each API server frozen past the lease", limits: slack, play: func(l *lab) {
			l.inTurn("the freeze", len(l.Servers),
				func(i int) { require.NoError(l.t, l.Servers[i].Freeze()) },
				func(i int) { require.NoError(l.t, l.Servers[i].Thaw()) })
		}},
	}
}
