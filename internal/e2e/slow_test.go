//go:build unix

package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// stay counts how long and how often one of some candidates is active.
type stay struct {
	active atomic.Int32
	terms  atomic.Int32
	twice  atomic.Bool // two of them were
}

func (s *stay) begins() {
	s.terms.Add(1)
	if s.active.Add(1) > 1 {
		s.twice.Store(true)
	}
}

func (s *stay) ends() { s.active.Add(-1) }

// hook has a replica's terms counted.
func (s *stay) hook(c *singleton.Config) {
	c.Hooks.OnAcquire = func(context.Context, *singleton.Term) { s.begins() }
	c.Hooks.OnLose = func(*singleton.Term, error) { s.ends() }
}

// sample looks at all of them for a while, and returns the share of it in which
// each was active.
func sample(d time.Duration, stays ...*stay) []float64 {
	counts, looks := make([]int, len(stays)), 0
	for end := time.Now().Add(d); time.Now().Before(end); looks++ {
		for i, s := range stays {
			if s.active.Load() > 0 {
				counts[i]++
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	shares := make([]float64, len(stays))
	for i, n := range counts {
		shares[i] = float64(n) / float64(looks)
	}
	return shares
}

// silentWebhook has each write of a Lease in the namespace wait three seconds for a
// webhook that accepts connections and never says a word. The write is done then:
// failurePolicy is Ignore, as Gatekeeper ships it.
func (s shop) silentWebhook() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	var silence sync.WaitGroup
	silence.Go(func() {
		var open []net.Conn
		for {
			conn, err := listener.Accept()
			if err != nil {
				break
			}
			open = append(open, conn)
		}
		for _, conn := range open {
			_ = conn.Close()
		}
	})
	url := "https://" + listener.Addr().String() + "/"
	ignore, none, all := admissionv1.Ignore, admissionv1.SideEffectClassNone, admissionv1.AllScopes
	seconds := int32(3)
	hooks := s.Admin().AdmissionregistrationV1().ValidatingWebhookConfigurations()
	_, err = hooks.Create(s.t.Context(), &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: s.namespace},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "silent.example.com", ClientConfig: admissionv1.WebhookClientConfig{URL: &url},
			FailurePolicy: &ignore, SideEffects: &none, TimeoutSeconds: &seconds, AdmissionReviewVersions: []string{"v1"},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": s.namespace}},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
				Rule: admissionv1.Rule{
					APIGroups: []string{"coordination.k8s.io"}, APIVersions: []string{"v1"}, Resources: []string{"leases"}, Scope: &all,
				},
			}},
		}},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	s.t.Cleanup(func() {
		require.NoError(s.t, hooks.Delete(context.Background(), s.namespace, metav1.DeleteOptions{}))
		_ = listener.Close()
		silence.Wait()
	})
	require.EventuallyWithT(s.t, func(try *assert.CollectT) { // it is configured from a cache
		began := time.Now()
		l, err := s.leases().Get(s.t.Context(), probeName, metav1.GetOptions{})
		require.NoError(try, err)
		l.Labels = map[string]string{"at": fmt.Sprint(began.UnixNano())}
		_, err = s.leases().Update(s.t.Context(), l, metav1.UpdateOptions{})
		require.NoError(try, err)
		require.Greater(try, time.Since(began), 2900*time.Millisecond)
	}, endurance, 100*time.Millisecond)
}

const probeName = "probe"

// TestSlowWebhook: with the default timings, writes that take three seconds each
// cost neither elector its term.
func TestSlowWebhook(t *testing.T) {
	c := sharedCluster(t)
	if testing.Short() || !c.Ours() {
		t.Skip("takes more than a minute, and an API server that reaches a webhook on this machine")
	}
	s := openShop(t, c, nil)
	for _, name := range []string{probeName, peer} {
		s.createLease(name)
	}
	s.silentWebhook()

	const watched = 75 * time.Second
	ours, theirs := &stay{}, &stay{}
	log := &lines{}
	for i := range 2 { // a standby of each is there to take what is lost
		s.replica(fmt.Sprintf("hotseat-%d", i), ours.hook, func(c *singleton.Config) {
			c.Timing.LeaseDuration, c.Timing.RenewDeadline, c.Timing.RetryPeriod = 0, 0, 0 // the defaults
			c.Logger = slog.New(slog.NewTextHandler(log, nil))
		})
		s.clientGo(fmt.Sprintf("client-go-%d", i), theirs)
	}
	began := time.Now()
	require.Eventually(t, func() bool { return ours.active.Load() > 0 && theirs.active.Load() > 0 }, endurance, 20*time.Millisecond)
	t.Logf("both are active after %v", time.Since(began).Round(10*time.Millisecond))
	shares := sample(watched, ours, theirs)

	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "each write takes 3 s, for %v\tactive\tterms\n", watched)
	_, _ = fmt.Fprintf(table, "client-go\t%.1f %%\t%d\n", 100*shares[1], theirs.terms.Load())
	_, _ = fmt.Fprintf(table, "hotseat\t%.1f %%\t%d\n", 100*shares[0], ours.terms.Load())
	_ = table.Flush()
	if t.Failed() || shares[0] < 1 {
		t.Log(log)
	}
	require.InDelta(t, 1, shares[0], 0, "active throughout")
	require.EqualValues(t, 1, ours.terms.Load(), "in one term")
	require.False(t, ours.twice.Load())
	require.Zero(t, log.count("level=WARN"), "a server that answers slowly is no fault:\n%s", log)
}

func (s shop) createLease(name string) {
	_, err := s.leases().Create(s.t.Context(), &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	require.NoError(s.t, err)
}

// clientGo is a candidate with client-go's elector and its usual timings, on a
// Lease of its own.
func (s shop) clientGo(name string, stay *stay) {
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: s.namespace, Name: peer},
			Client:     s.Admin().CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: name},
		},
		LeaseDuration: lease.DefaultLeaseDuration, RenewDeadline: lease.DefaultRenewDeadline, RetryPeriod: lease.DefaultRetryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				stay.begins()
				<-ctx.Done()
				stay.ends()
			},
			OnStoppedLeading: func() {},
		},
	})
	require.NoError(s.t, err)
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil { // it is one shot
			elector.Run(ctx)
		}
	}()
	s.t.Cleanup(func() {
		cancel()
		<-ended
	})
}
