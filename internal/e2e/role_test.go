//go:build unix

package e2e

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// replica is an elector in this process, with the shop's ServiceAccount.
type replica struct {
	elector *singleton.Elector
	began   chan struct{} // a term's work begins
	done    chan error    // Run returned
	stop    context.CancelFunc
	drain   func() // what work does after its context has ended; nil: nothing
	log     *lines
}

// patience bounds every wait for what has to come.
const patience = 30 * time.Second

func (s shop) replica(name string, change ...func(*singleton.Config)) *replica {
	return s.replicaOver(s.client(), name, change...)
}

// replicaOver is one that reaches the API server in its own way.
func (s shop) replicaOver(client *singleton.Client, name string, change ...func(*singleton.Config)) *replica {
	ctx, cancel := context.WithCancel(context.Background())
	r := &replica{began: make(chan struct{}, 16), done: make(chan error, 1), stop: cancel, log: &lines{}}
	config := singleton.Config{
		Name: leaseName, Namespace: s.namespace, Replica: singleton.ReplicaConfig{Identity: name},
		Timing: replicaTiming(),
		Logger: slog.New(slog.NewTextHandler(r.log, nil)),
	}
	for _, change := range change {
		change(&config)
	}
	var err error
	r.elector, err = singleton.New(client, config)
	require.NoError(s.t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.done <- r.elector.Run(ctx, func(ctx context.Context, _ *singleton.Term) error {
			r.began <- struct{}{}
			<-ctx.Done()
			if r.drain != nil {
				r.drain()
			}
			return nil
		})
	}()
	s.t.Cleanup(func() {
		cancel()
		<-ended
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", name, r.log)
		}
	})
	return r
}

func replicaTiming() lease.Timing {
	return lease.Timing{LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 400 * time.Millisecond}
}

func (s shop) works(r *replica) {
	s.t.Helper()
	select {
	case <-r.began:
	case err := <-r.done:
		s.t.Fatalf("Run returned %v", err)
	case <-time.After(patience):
		s.t.Fatalf("no work within %v", patience)
	}
}

// idles demands that r does not work for a while.
func (s shop) idles(r *replica, d time.Duration) {
	s.t.Helper()
	select {
	case <-r.began:
		s.t.Fatal("it works")
	case err := <-r.done:
		s.t.Fatalf("Run returned %v", err)
	case <-time.After(d):
	}
}

func (s shop) refused(r *replica, verb string) {
	s.t.Helper()
	select {
	case err := <-r.done:
		require.ErrorIs(s.t, err, lease.ErrForbidden)
		require.ErrorContains(s.t, err, verb+" lease: forbidden")
	case <-time.After(patience):
		s.t.Fatalf("Run goes on without %s", verb)
	}
}

func (s shop) deleteLease() {
	require.NoError(s.t, s.leases().Delete(s.t.Context(), leaseName, metav1.DeleteOptions{}))
}

// shipLease creates the manifest's Lease again.
func (s shop) shipLease() {
	_, err := s.leases().Create(s.t.Context(), &coordv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: leaseName},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
}

// TestShippedRole: with the Role of the manifests and nothing more, replicas start at
// once, hand over, and meet a deleted Lease: the holder, which is connected, has
// its seat back as a new term.
func TestShippedRole(t *testing.T) {
	s := openShop(t, sharedCluster(t), nil)
	a := s.replica("a")
	s.works(a)
	require.Zero(t, a.log.count("waiting for a lease duration"), "a Lease that was shipped and never held is free")
	b := s.replica("b")
	s.idles(b, time.Second)
	require.NoError(t, b.elector.Ready())
	first := a.elector.Status().Token
	a.stop()
	require.NoError(t, <-a.done)
	s.works(b)
	second := b.elector.Status().Token
	require.Greater(t, second.Epoch, first.Epoch)

	s.deleteLease()
	s.works(b)
	require.Greater(t, b.elector.Status().Token.Epoch, second.Epoch)
	require.Equal(t, 1, b.log.count(`level=WARN msg="somebody deleted the Lease"`))
	require.Equal(t, 1, b.log.count(`level=WARN msg="term over"`))
	require.Equal(t, 2, b.log.count("level=WARN"), "nothing else is worth a warning")
	require.NotContains(t, b.log.String(), "level=ERROR")
}

// TestShippedRoleMissingLease: the Lease is not there from the start. It is created,
// and taken a lease duration later.
func TestShippedRoleMissingLease(t *testing.T) {
	s := openShop(t, sharedCluster(t), nil)
	s.deleteLease()
	a := s.replica("a")
	began := time.Now()
	s.works(a)
	require.GreaterOrEqual(t, time.Since(began), 3*time.Second, "somebody might be at work under the deleted Lease")
}

func TestWithoutList(t *testing.T) {
	s := openShop(t, sharedCluster(t), without("list"))
	s.refused(s.replica("a"), "list")
}

func TestWithoutWatch(t *testing.T) {
	s := openShop(t, sharedCluster(t), without("watch"))
	a := s.replica("a")
	s.works(a)
	b := s.replica("b")
	s.idles(b, time.Second)
	a.stop()
	s.works(b)
	require.Equal(t, 1, b.log.count("not allowed to watch"))
}

// TestWithoutGet: what asks the store asks by a list.
func TestWithoutGet(t *testing.T) {
	s := openShop(t, sharedCluster(t), without("get"))
	s.handsOver()
}

// TestWithoutPatch: it works by update, and says so once.
func TestWithoutPatch(t *testing.T) {
	s := openShop(t, sharedCluster(t), without("patch"))
	for _, r := range s.handsOver() {
		require.Equal(t, 1, r.log.count("not allowed to patch the Lease: updating it instead"))
	}
}

// TestWithoutUpdate: nothing is updated where patching is allowed.
func TestWithoutUpdate(t *testing.T) {
	s := openShop(t, sharedCluster(t), without("update"))
	for _, r := range s.handsOver() {
		require.NotContains(t, r.log.String(), "level=WARN")
	}
}

func TestWithoutPatchAndUpdate(t *testing.T) {
	s := openShop(t, sharedCluster(t), without("patch", "update"))
	s.refused(s.replica("a"), "patch")
}

// TestWithoutCreate: the narrow Role. A Lease that is missing is waited for, and
// readiness says so.
func TestWithoutCreate(t *testing.T) {
	s := openShop(t, sharedCluster(t), without("create"))
	s.deleteLease()
	a := s.replica("a")
	s.idles(a, 4*time.Second)
	require.Equal(t, 1, a.log.count("creating it is not allowed"))
	require.ErrorContains(t, a.elector.Ready(), "the Lease does not exist")
	require.True(t, a.elector.Status().Missing)
	s.shipLease()
	s.works(a)
	require.NoError(t, a.elector.Ready())
	require.Equal(t, 1, a.log.count("the Lease exists now"))
	require.NotContains(t, a.log.String(), "level=ERROR")
}

// handsOver has one replica work for a while, and another after it; it returns both.
func (s shop) handsOver() []*replica {
	s.t.Helper()
	a := s.replica("a")
	s.works(a)
	b := s.replica("b")
	s.idles(b, 4*time.Second) // a goes on: longer than it would be valid without renewals
	a.stop()
	require.NoError(s.t, <-a.done)
	s.works(b)
	s.idles(b, 4*time.Second)
	return []*replica{a, b}
}

// lines collects a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) count(part string) int { return strings.Count(l.String(), part) }
