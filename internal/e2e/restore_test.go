//go:build unix

package e2e

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/controlplane"
	"github.com/hotseat-go/hotseat/internal/e2e/trial"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// stored is the Lease as etcd has it.
func (s shop) stored() *coordv1.Lease {
	s.t.Helper()
	var stored *coordv1.Lease
	require.Eventually(s.t, func() bool { // the API server has to find etcd again
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
		defer cancel()
		var err error
		stored, err = s.leases().Get(ctx, leaseName, metav1.GetOptions{})
		return err == nil
	}, endurance, 50*time.Millisecond)
	return stored
}

// restore puts the backup back under the API server, whose cache is ahead then.
func (s shop) restore(backup controlplane.Snapshot) {
	s.t.Helper()
	began := time.Now()
	require.NoError(s.t, s.RestoreUnderAPI(s.t.Context(), backup))
	s.t.Logf("restored, in %v", time.Since(began).Round(10*time.Millisecond))
}

func (s shop) snapshot() controlplane.Snapshot {
	s.t.Helper()
	backup, err := s.Snapshot(s.t.Context())
	orSkip(s.t, err)
	return backup
}

// TestRestoreUnderAPIHolderConnected: etcd goes back under a running API server, and
// renewals take the store's counter to the versions that its cache already shows as
// other records. No standby takes the Lease from a holder that is connected.
func TestRestoreUnderAPIHolderConnected(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than a minute")
	}
	s := openShop(t, ownCluster(t), nil)
	stay := &stay{}
	const leaseDuration = 8 * time.Second
	settings := func(c *singleton.Config) { // validity outlasts the restore, and versions pass quickly
		c.Timing.LeaseDuration, c.Timing.RenewDeadline, c.Timing.RetryPeriod = leaseDuration, 7*time.Second, 400*time.Millisecond
	}
	a := s.replica("a", stay.hook, settings)
	s.works(a)
	standbys := []*replica{s.replica("b", stay.hook, settings), s.replica("c", stay.hook, settings)}
	time.Sleep(settled)
	backup := s.snapshot()
	time.Sleep(2*leaseDuration + 2*time.Second) // the store is to need longer than a lease duration to pass the cache
	shown := s.stored().ResourceVersion
	s.restore(backup)
	restored := time.Now()
	back := s.stored().ResourceVersion
	require.True(t, protocol.Newer(shown, back), "the cache shows version %s, the store has %s", shown, back)
	for !protocol.Newer(s.stored().ResourceVersion, shown) {
		require.Less(t, time.Since(restored), endurance)
		time.Sleep(20 * time.Millisecond)
	}
	passed := time.Since(restored)
	t.Logf("the cache showed version %s, the store was put back to %s, and passed the cache after %v", shown, back, passed.Round(10*time.Millisecond))
	require.Greater(t, passed, leaseDuration, "standbys have tried meanwhile, if they ever would")
	time.Sleep(3 * leaseDuration)

	require.False(t, stay.twice.Load())
	require.EqualValues(t, 1, stay.terms.Load(), "the holder went on in its term")
	require.Equal(t, singleton.StateActive, a.elector.Status().State)
	for _, r := range standbys {
		require.Equal(t, singleton.StateStandby, r.elector.Status().State)
	}
	a.stop() // and the seat changes hands as ever
	require.NoError(t, <-a.done)
	require.Eventually(t, func() bool { return stay.terms.Load() == 2 }, patience, 20*time.Millisecond)
}

// TestRestoreUnderAPINobodyHolds: the holder is gone, and lists go on showing what
// the store has lost. Somebody is active again all the same.
func TestRestoreUnderAPINobodyHolds(t *testing.T) {
	if testing.Short() {
		t.Skip("needs three control planes")
	}
	t.Run("released since, held in the backup", func(t *testing.T) {
		s := openShop(t, ownCluster(t), nil)
		a := s.replica("a")
		s.works(a)
		backup := s.snapshot()
		time.Sleep(2 * time.Second)
		a.stop()
		require.NoError(t, <-a.done)
		s.restore(backup)
		s.againActive(s.replica("b"))
	})
	t.Run("held since, by one that crashed, untouched in the backup", func(t *testing.T) {
		s := openShop(t, ownCluster(t), nil)
		backup := s.snapshot()
		a, wire := s.wired("a")
		s.works(a)
		b := s.replica("b")
		s.idles(b, 2*time.Second)
		wire.Cut()
		s.restore(backup)
		s.againActive(b)
	})
	t.Run("created since, missing in the backup", func(t *testing.T) {
		s := openShop(t, ownCluster(t), nil)
		s.deleteLease()
		backup := s.snapshot()
		s.shipLease()
		a, wire := s.wired("a")
		s.works(a)
		b := s.replica("b")
		s.idles(b, 2*time.Second)
		wire.Cut()
		s.restore(backup)
		s.againActive(b)
	})
}

func (s shop) againActive(r *replica) {
	s.t.Helper()
	began := time.Now()
	s.works(r)
	s.t.Logf("active again %v after the restore", time.Since(began).Round(10*time.Millisecond))
	s.idles(r, 4*time.Second) // it renews
	require.Equal(s.t, singleton.StateActive, r.elector.Status().State)
	token, held := lease.NewRecord(s.stored()).Token()
	require.True(s.t, held)
	require.Equal(s.t, r.elector.Status().Token, token)
}

// wired is a replica whose way to the API server can be cut.
func (s shop) wired(name string) (*replica, *trial.Wire) {
	wire, err := trial.NewWire(name, s.Address())
	require.NoError(s.t, err)
	config := s.config()
	server, err := url.Parse(config.Host)
	require.NoError(s.t, err)
	config.ServerName, config.Host = server.Hostname(), "https://"+wire.Address()
	client, err := singleton.NewClient(config)
	require.NoError(s.t, err)
	r := s.replicaOver(client, name)
	s.t.Cleanup(wire.Close)
	return r, wire
}
