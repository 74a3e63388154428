//go:build unix

package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	coordv1beta1 "k8s.io/api/coordination/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordv1beta1client "k8s.io/client-go/kubernetes/typed/coordination/v1beta1"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/controlplane"
	"github.com/hotseat-go/hotseat/internal/e2e/trial"
)

// coordinated is an API server that elects leaders itself, among the LeaseCandidates for a Lease.
// It writes the one that it prefers on the Lease, as preferredHolder. If the Lease has no holder,
// or was not renewed in time, it makes that candidate the holder, for 5 s.
func coordinated(t *testing.T) (*controlplane.Cluster, []scenario) {
	c := ownClusterOf(t, controlplane.Options{APIServer: []string{
		"--feature-gates=CoordinatedLeaderElection=true",
		"--runtime-config=coordination.k8s.io/v1beta1=true",
	}})
	const given = 5 * time.Second
	return c, []scenario{
		{name: "a standby preferred by hand", short: true, play: func(l *lab) {
			a, b := l.active(), l.standby()
			from := l.strike("the preference", a)
			l.prefer(b.Name)
			l.favors(from, a, b)
			l.rest(settled)
			kill(l)
		}},
		{name: "nobody's name preferred by hand", play: func(l *lab) {
			a := l.active()
			from := l.journal.Len()
			l.prefer("nobody")
			l.rest(outage())
			l.keeps(from, a)
			kill(l)
		}},
		{name: "a LeaseCandidate of a standby", play: func(l *lab) {
			a, b := l.active(), l.standby()
			from := l.begin("the candidacy", nil)
			l.stands(b.Name)
			l.favors(from, a, b)
			l.over()
		}},
		{
			name:   "a LeaseCandidate of nobody, SIGKILL, SIGTERM",
			limits: func(x *trial.Limits) { x.Back += given },
			play: func(l *lab) {
				a := l.active()
				from := l.journal.Len()
				l.stands("nobody")
				l.preferred("nobody")
				l.rest(outage())
				l.keeps(from, a)
				kill(l)
				l.rest(settled)
				l.handOver()
			},
		},
	}
}

// standby is a replica that is not active.
func (l *lab) standby() *candidate {
	a := l.active()
	for _, c := range l.replicas {
		if c != a {
			return c
		}
	}
	panic("unreachable: there are three")
}

// prefer is what an administrator writes.
func (l *lab) prefer(name string) {
	l.patch(`{"spec":{"strategy":"` + string(coordv1.OldestEmulationVersion) +
		`","preferredHolder":"` + name + `"}}`)
}

// preferred waits until the API server says whom it prefers.
func (l *lab) preferred(name string) {
	l.t.Helper()
	require.Eventually(l.t, func() bool {
		now, err := l.leases().Get(l.t.Context(), leaseName, metav1.GetOptions{})
		return err == nil && now.Spec.PreferredHolder != nil && *now.Spec.PreferredHolder == name
	}, endurance, 50*time.Millisecond)
}

// favors demands that a resigns in favor of b. A starved b may miss its turn all the same: others
// wait half a RetryPeriod for it.
func (l *lab) favors(from int, a, b *candidate) {
	l.t.Helper()
	require.Contains(l.t, l.of(a, from, trial.Ended).Text, `in favor of "`+b.Name+`_`)
	l.newTerm(from)
}

// keeps demands that no term has begun, and none of a's has ended.
func (l *lab) keeps(from int, a *candidate) {
	l.t.Helper()
	events, _ := l.journal.Since(from)
	for _, e := range events {
		changes := []trial.Kind{trial.Acquired, trial.Ended}
		require.NotContains(l.t, changes, e.Kind, "%s: %s", e.Replica, e.Text)
	}
	require.Equal(l.t, a, l.active())
}

// stands has a LeaseCandidate stand for the Lease to the end of the test. It answers the API server
// as candidates of client-go do.
func (l *lab) stands(name string) {
	l.t.Helper()
	ctx, all := l.t.Context(), l.candidates()
	_, err := all.Create(ctx, &coordv1beta1.LeaseCandidate{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: coordv1beta1.LeaseCandidateSpec{
			LeaseName: leaseName, Strategy: coordv1.OldestEmulationVersion,
			BinaryVersion: "1.0.0", EmulationVersion: "1.0.0",
			RenewTime: new(metav1.NowMicro()),
		},
	}, metav1.CreateOptions{})
	require.NoError(l.t, err)
	l.done.Go(func() {
		for ctx.Err() == nil {
			_ = acknowledge(ctx, all, name) // it tries again
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
}

// acknowledge answers a ping, if there is one.
func acknowledge(ctx context.Context, all candidacies, name string) error {
	c, err := all.Get(ctx, name, metav1.GetOptions{})
	if err != nil || c.Spec.PingTime == nil || !c.Spec.RenewTime.Before(c.Spec.PingTime) {
		return err
	}
	c.Spec.RenewTime = new(metav1.NowMicro())
	_, err = all.Update(ctx, c, metav1.UpdateOptions{})
	return err
}

type candidacies = coordv1beta1client.LeaseCandidateInterface

// candidates are the shop's. Each answer warns that this version of the API is deprecated.
func (l *lab) candidates() candidacies {
	config := l.AdminConfig()
	config.WarningHandler = rest.NoWarnings{}
	client, err := coordv1beta1client.NewForConfig(config)
	require.NoError(l.t, err)
	return client.LeaseCandidates(l.namespace)
}
