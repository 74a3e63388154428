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
	rbacv1 "k8s.io/api/rbac/v1"
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
	log     *lines
}

// patience bounds every wait for what has to come.
const patience = 30 * time.Second

func (s shop) replica(name string, change ...func(*singleton.Config)) *replica {
	ctx, cancel := context.WithCancel(context.Background())
	r := &replica{began: make(chan struct{}, 16), done: make(chan error, 1), stop: cancel, log: &lines{}}
	config := singleton.Config{
		Name: leaseName, Namespace: s.namespace, Identity: name,
		LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 400 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(r.log, nil)),
	}
	for _, change := range change {
		change(&config)
	}
	var err error
	r.elector, err = singleton.New(s.client(), config)
	require.NoError(s.t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.done <- r.elector.Run(ctx, func(ctx context.Context, _ *singleton.Term) error {
			r.began <- struct{}{}
			<-ctx.Done()
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
	require.NoError(s.t, s.Admin().CoordinationV1().Leases(s.namespace).Delete(s.t.Context(), leaseName, metav1.DeleteOptions{}))
}

// TestShippedRole: with the Role of the README and nothing more, replicas
// acquire, hand over, fence off, and meet a deleted Lease.
func TestShippedRole(t *testing.T) {
	s := openShop(t, sharedCluster(t), nil)
	a := s.replica("a")
	s.works(a)
	b := s.replica("b")
	s.idles(b, time.Second)
	first := a.elector.Status().Token
	a.stop()
	require.NoError(t, <-a.done)
	s.works(b)
	require.Greater(t, b.elector.Status().Token.Epoch, first.Epoch)

	s.deleteLease()
	s.idles(b, 4*time.Second) // create is not among the verbs
	require.Equal(t, 1, b.log.count("creating it is not allowed"))
	_, err := s.Admin().CoordinationV1().Leases(s.namespace).Create(t.Context(),
		&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName}}, metav1.CreateOptions{})
	require.NoError(t, err)
	s.works(b)
	require.NotContains(t, b.log.String(), "level=ERROR")
}

func TestWithoutList(t *testing.T) {
	s := openShop(t, sharedCluster(t), without("list"))
	s.refused(s.replica("a"), "list")
}

func TestWithoutUpdate(t *testing.T) {
	s := openShop(t, sharedCluster(t), without("update"))
	s.refused(s.replica("a"), "update")
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

func TestWithCreate(t *testing.T) {
	s := openShop(t, sharedCluster(t), func(r *rbacv1.Role) {
		r.Rules = append(r.Rules, rbacv1.PolicyRule{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"create"}})
	})
	s.deleteLease()
	a := s.replica("a")
	began := time.Now()
	s.works(a)
	require.GreaterOrEqual(t, time.Since(began), 3*time.Second, "somebody might be at work under the deleted Lease")
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
