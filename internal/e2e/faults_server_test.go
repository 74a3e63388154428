//go:build unix

package e2e

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/hotseat-go/hotseat/internal/e2e/trial"
	"github.com/hotseat-go/hotseat/lease"
)

// outage is longer than a lease.
func outage() time.Duration { return timing().LeaseDuration + time.Second }

// slack is what a fault of the server leaves behind: a request of a standby's that
// was swallowed is asked again after its timeout, and where a watch died silently
// standbys look again when they have heard nothing for that long.
func slack(x *trial.Limits) { x.Back += timing().RequestTimeout() + 3*timing().RetryPeriod }

// serverFaults are done to the control plane.
func serverFaults() []scenario {
	return []scenario{
		{name: "API server killed, restarted", limits: slack, play: func(l *lab) {
			from := l.begin("the restart", nil)
			l.API.Kill()
			l.rest(outage())
			require.NoError(l.t, l.StartAPI(l.t.Context()))
			l.back(from)
		}},
		{name: "etcd killed, restarted", limits: slack, play: func(l *lab) {
			from := l.begin("the restart", nil)
			l.Etcd.Kill()
			l.rest(outage())
			require.NoError(l.t, l.StartEtcd(l.t.Context()))
			l.back(from)
		}},
		{name: "API server frozen past the lease", limits: slack, play: func(l *lab) {
			from := l.begin("the freeze", nil)
			require.NoError(l.t, l.API.Freeze())
			l.rest(outage())
			l.over()
			require.NoError(l.t, l.API.Thaw())
			l.newTerm(from)
		}},
	}
}

// back is the end of an outage: it is over when writes succeed again.
func (l *lab) back(from int) {
	l.t.Helper()
	l.answers()
	l.over()
	l.newTerm(from)
}

// answers returns when a write of a client without connections succeeds.
func (l *lab) answers() {
	l.t.Helper()
	client, err := kubernetes.NewForConfig(anew(l.AdminConfig()))
	require.NoError(l.t, err)
	probe := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "probe-"}}
	require.Eventually(l.t, func() bool {
		ctx, cancel := context.WithTimeout(l.t.Context(), time.Second)
		defer cancel()
		_, err := client.CoreV1().ConfigMaps(l.namespace).Create(ctx, probe, metav1.CreateOptions{})
		return err == nil
	}, endurance, 20*time.Millisecond)
}

// restoreFaults have etcd go back in time. What comes after them on the same
// control plane has to live with that.
func restoreFaults() []scenario {
	return []scenario{
		{name: "etcd restored, revision bumped", limits: slack, play: restoreBumped},
		unbumped("etcd restored, not bumped, MaxRaise", func(s *trial.Spec) { s.MaxRaise = 1000 },
			func(x *trial.Limits) { slack(x); x.Conflict = true }),
		unbumped("etcd restored, not bumped, Floor", func(s *trial.Spec) { s.Floor = true },
			func(x *trial.Limits) { slack(x); x.Admitted = true }),
	}
}

// restoreBumped goes back behind a term, with the replicas at work.
func restoreBumped(l *lab) {
	backup, err := l.Snapshot(l.t.Context())
	orSkip(l.t, err)
	l.handOver()
	l.rest(settled)
	from := l.begin("the restore", nil)
	require.NoError(l.t, l.Restore(l.t.Context(), backup, 1_000_000))
	l.back(from)
}

// longHistory has the epochs count on from a number that the server's
// resource versions do not reach, as after an earlier restore with a bump.
func longHistory(l *lab) {
	l.patch(`{"metadata":{"annotations":{"` + lease.AnnotationEpoch + `":"1000000000000"}}}`)
}

// unbumped has the replicas heal what such a restore takes away, in one of the
// ways there are.
func unbumped(name string, heal func(*trial.Spec), limits func(*trial.Limits)) scenario {
	return scenario{
		name: name, open: longHistory, spec: heal, limits: limits,
		play: func(l *lab) { restoreUnbumped(l, heal) },
	}
}

// restoreUnbumped goes back behind a term, and no process is left that
// remembers it: the next one gets the same epoch.
func restoreUnbumped(l *lab, heal func(*trial.Spec)) {
	backup, err := l.Snapshot(l.t.Context())
	orSkip(l.t, err)
	l.handOver()
	l.rest(settled)
	from := l.begin("the restore", nil)
	for _, c := range l.replicas {
		c.Kill()
	}
	require.NoError(l.t, l.Restore(l.t.Context(), backup, 0))
	for name := range l.replicas {
		l.start(name, heal)
	}
	l.back(from)
}

// handOver has the active end, and come back as a standby.
func (l *lab) handOver() {
	a := l.active()
	from := l.strike("the handover", a)
	require.NoError(l.t, a.Terminate())
	l.newTerm(from)
	l.of(a, from, trial.Exited)
	l.start(a.Name, nil)
}
