//go:build unix

package e2e

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/internal/e2e/trial"
	"github.com/hotseat-go/hotseat/lease"
)

// leaseFaults are done to the Lease, or by another elector on it.
func leaseFaults() []scenario {
	return []scenario{
		{name: "Lease deleted, applied again, create forbidden", play: reapply, role: without("create")},
		{name: "Lease deleted in the foreground", play: deleteInForeground},
		{name: "label storm", play: storm, limits: func(x *trial.Limits) { x.Terms = 1 }},
		{name: "client-go's elector beside us", open: openWithPeer, play: besidePeer},
	}
}

func onlyLease() metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", leaseName).String()}
}

func recordOf(object runtime.Object) (lease.Record, bool) {
	l, ok := object.(*coordv1.Lease)
	return lease.NewRecord(l), ok
}

// reapply deletes the Lease as kubectl does by default. Nobody may create it, so
// the replicas wait until it is applied again.
func reapply(l *lab) {
	a := l.active()
	from := l.begin("the deletion", nil)
	policy := metav1.DeletePropagationBackground
	require.NoError(l.t, l.leases().Delete(l.t.Context(), leaseName, metav1.DeleteOptions{PropagationPolicy: &policy}))
	l.of(a, from, trial.Ended)
	l.rest(settled)
	_, err := l.leases().Create(l.t.Context(), &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName}}, metav1.CreateOptions{})
	require.NoError(l.t, err)
	l.over()
	l.newTerm(from)
}

// deleteInForeground has the Lease marked first, and then gone. The garbage
// collector would unmark it; here we do.
func deleteInForeground(l *lab) {
	a := l.active()
	from := l.begin("the deletion", nil)
	policy := metav1.DeletePropagationForeground
	require.NoError(l.t, l.leases().Delete(l.t.Context(), leaseName, metav1.DeleteOptions{PropagationPolicy: &policy}))
	l.rest(settled)
	l.patch(`{"metadata":{"finalizers":null}}`)
	l.over()
	l.of(a, from, trial.Ended)
	l.newTerm(from)
}

// storm edits a label of the Lease, as often as it takes for renewals to meet
// edits. Nobody loses anything by it.
func storm(l *lab) {
	l.begin("the storm", nil)
	for i := range 400 {
		l.patch(fmt.Sprintf(`{"metadata":{"labels":{"storm":"%d"}}}`, i))
		l.rest(5 * time.Millisecond)
	}
	l.over()
}

func (l *lab) patch(merge string) {
	l.t.Helper()
	_, err := l.leases().Patch(l.t.Context(), leaseName, types.MergePatchType, []byte(merge), metav1.PatchOptions{})
	require.NoError(l.t, err)
}

const peer = "peer"

// openWithPeer has client-go's elector at work before any of us.
func openWithPeer(l *lab) {
	l.openToPeers()
	from := l.journal.Len()
	l.startPeer(peer)
	l.newTerm(from)
}

// openToPeers gives peers the rights that client-go asks for, and no more.
func (l *lab) openToPeers() {
	require.NoError(l.t, l.apply(&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: peer}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update"}},
	}}))
	require.NoError(l.t, l.apply(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: peer},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: peer},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: peer}},
	}))
}

func (l *lab) startPeer(name string, change ...func(*trial.Spec)) {
	config, err := l.Account(l.t.Context(), l.namespace, peer)
	require.NoError(l.t, err)
	l.start(name, func(s *trial.Spec) {
		s.Login(config)
		s.Peer = true
		for _, change := range change {
			change(s)
		}
	})
}

// besidePeer has client-go's elector hand over to us, and then crashes whoever
// is active, three times.
func besidePeer(l *lab) {
	a := l.active()
	require.Equal(l.t, peer, a.Name)
	from := l.strike("SIGTERM of the peer", a)
	require.NoError(l.t, a.Terminate())
	l.newTerm(from)
	l.of(a, from, trial.Exited)
	l.startPeer(peer)
	for i := range 3 {
		l.rest(settled)
		a := l.active()
		from := l.strike(fmt.Sprintf("SIGKILL %d", i+1), a)
		a.Kill()
		l.newTerm(from)
		if a.Name == peer {
			l.startPeer(peer)
			continue
		}
		l.start(a.Name, nil)
	}
}
