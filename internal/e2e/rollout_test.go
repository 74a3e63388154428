//go:build unix

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/rollout"
)

// right is one verb on one resource.
type right struct{ verb, group, resource string }

func (r right) String() string { return r.verb + " " + r.resource }

func (r right) rule() rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{
		APIGroups: []string{r.group}, Resources: []string{r.resource}, Verbs: []string{r.verb},
	}
	if r.resource == "deployments" {
		rule.ResourceNames = []string{leaseName} // the Deployment has that name, too
	}
	return rule
}

// part is an option of package rollout, with the rights that the guide names for it.
type part struct {
	option string
	needs  string // the option that the rights are for, if that is another one
	config rollout.Config
	rights []right
	// worsens has old-1 and old-2 let new-1 go first. The follower then says so.
	worsens func(*rolledOut)
	says    string
	moves   bool // leadership moves by itself then
}

func parts() []part {
	watchPods := right{"watch", "", "pods"}
	revision := []right{watchPods, {"get", "apps", "replicasets"}, {"watch", "apps", "deployments"}}
	return []part{
		{
			option: "Terminating", config: rollout.Config{Terminating: true}, rights: []right{watchPods},
			worsens: (*rolledOut).deletesOld, says: "this Pod is being deleted",
		},
		{
			option: "Revision", config: rollout.Config{Revision: true}, rights: revision,
			worsens: (*rolledOut).bringsRevision, says: "older_revision=true",
		},
		{
			option: "HandOver", needs: "Revision", config: rollout.Config{Revision: true, HandOver: true}, rights: revision,
			worsens: (*rolledOut).bringsRevision, says: "older_revision=true", moves: true,
		},
		{
			option: "Node", config: rollout.Config{Node: true},
			rights:  []right{watchPods, {"watch", "", "nodes"}},
			worsens: (*rolledOut).cordonsOld, says: "node_cordoned=true",
		},
		{
			option: "DeletionCost", config: rollout.Config{DeletionCost: true},
			rights: []right{{"get", "", "pods"}, {"patch", "", "pods"}},
		},
	}
}

// TestRolloutRights: each option works with the rights that the guide names for it, and no other.
// Without one of them the follower says which option lacks which right, and the election goes on.
func TestRolloutRights(t *testing.T) {
	if *kubeconfig != "" {
		t.Skip("needs a cluster whose controllers leave Deployments alone: run without -kubeconfig and $KUBECONFIG")
	}
	for _, p := range parts() {
		t.Run(p.option, func(t *testing.T) {
			t.Parallel()
			p.works(newRolledOut(t, p.rights))
		})
		for _, missing := range p.rights {
			t.Run(p.option+" without "+missing.String(), func(t *testing.T) {
				t.Parallel()
				rights := slices.DeleteFunc(slices.Clone(p.rights), func(r right) bool { return r == missing })
				p.goesWithout(newRolledOut(t, rights), missing)
			})
		}
	}
}

// works has the active move to the one replica that is better off.
func (p part) works(s *rolledOut) {
	old1 := s.follows("old-1", p.config)
	s.works(old1)
	old2, fresh := s.follows("old-2", p.config), s.follows("new-1", p.config)
	s.idles(fresh, time.Second)
	if p.config.DeletionCost {
		s.costs("old-1")
		old1.elector.Resign()
		require.Eventually(s.t, func() bool { return !s.hasCost("old-1") }, patience, 20*time.Millisecond)
		return
	}
	p.worsens(s)
	for _, r := range []*replica{old1, old2} {
		require.Eventually(s.t, func() bool { return r.log.count(p.says) > 0 }, patience, 20*time.Millisecond)
	}
	require.Zero(s.t, fresh.log.count(p.says))
	if !p.moves {
		require.True(s.t, old1.elector.IsActive(), "its term goes on")
		old1.elector.Resign()
	}
	s.works(fresh)
	for _, r := range []*replica{old1, old2, fresh} {
		require.Zero(s.t, r.log.count("forbidden"), "%s", r.log)
	}
}

// goesWithout has a replica say what is missing, and another one be the next active all the same.
func (p part) goesWithout(s *rolledOut, missing right) {
	old := s.follows("old-1", p.config)
	s.works(old)
	wants := fmt.Sprintf("cannot %s resource %q", missing.verb, missing.resource)
	said := ""
	require.Eventually(s.t, func() bool {
		for line := range strings.Lines(old.log.String()) {
			if line = strings.ReplaceAll(line, `\`, ""); strings.Contains(line, wants) {
				said = line
			}
		}
		return said != ""
	}, patience, 20*time.Millisecond, "it never says that it %s", wants)
	require.Contains(s.t, said, "level=WARN")
	require.Contains(s.t, said, "option="+cmp.Or(p.needs, p.option)+" ")
	fresh := s.follows("new-1", p.config)
	s.idles(fresh, time.Second)
	old.elector.Resign()
	s.works(fresh)
	require.LessOrEqual(s.t, old.log.count("level=WARN"), 2, "%s", old.log)
}

// rolledOut is a shop with Pods of two revisions of its Deployment, as far as the API server knows.
type rolledOut struct{ shop }

func newRolledOut(t *testing.T, rights []right) *rolledOut {
	s := &rolledOut{openShop(t, sharedCluster(t), func(role *rbacv1.Role) {
		for _, r := range rights {
			role.Rules = append(role.Rules, r.rule())
		}
	})}
	if slices.Contains(rights, right{"watch", "", "nodes"}) {
		s.mayWatchNodes()
	}
	for _, node := range []string{"old", "new"} {
		_, err := s.Admin().CoreV1().Nodes().Create(t.Context(), &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: s.node(node)},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
		t.Cleanup(func() {
			_ = s.Admin().CoreV1().Nodes().Delete(context.Background(), s.node(node), metav1.DeleteOptions{})
		})
	}
	deployment, err := s.Admin().AppsV1().Deployments(s.namespace).Get(t.Context(), "invoicer", metav1.GetOptions{})
	require.NoError(t, err)
	s.annotates("1", 3)
	for revision, name := range []string{"old", "new"} {
		set := s.replicaSet(deployment, name, fmt.Sprint(revision+1))
		s.pod(set, name, name+"-1")
		if name == "old" {
			s.pod(set, name, name+"-2")
		}
	}
	return s
}

// node is a node's name, which is the cluster's and not the shop's.
func (s *rolledOut) node(name string) string { return s.namespace + "-" + name }

// mayWatchNodes takes a ClusterRole: a node has no namespace.
func (s *rolledOut) mayWatchNodes() {
	s.t.Helper()
	rbac := s.Admin().RbacV1()
	_, err := rbac.ClusterRoles().Create(s.t.Context(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: s.namespace}, Rules: []rbacv1.PolicyRule{right{"watch", "", "nodes"}.rule()},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	_, err = rbac.ClusterRoleBindings().Create(s.t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: s.namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: s.namespace},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: s.namespace, Name: account}},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	s.t.Cleanup(func() {
		_ = rbac.ClusterRoleBindings().Delete(context.Background(), s.namespace, metav1.DeleteOptions{})
		_ = rbac.ClusterRoles().Delete(context.Background(), s.namespace, metav1.DeleteOptions{})
	})
}

func (s *rolledOut) replicaSet(d *appsv1.Deployment, name, revision string) *appsv1.ReplicaSet {
	s.t.Helper()
	template := *d.Spec.Template.DeepCopy()
	set, err := s.Admin().AppsV1().ReplicaSets(s.namespace).Create(s.t.Context(), &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: "invoicer-" + name, Annotations: map[string]string{"deployment.kubernetes.io/revision": revision},
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment")),
			},
		},
		Spec: appsv1.ReplicaSetSpec{Selector: d.Spec.Selector, Template: template},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	return set
}

// pod makes a Pod on a node that has no kubelet: if it is deleted, it stays for its grace period.
func (s *rolledOut) pod(set *appsv1.ReplicaSet, node, name string) {
	s.t.Helper()
	_, err := s.Admin().CoreV1().Pods(s.namespace).Create(s.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet")),
			},
		},
		Spec: corev1.PodSpec{
			NodeName: s.node(node), ServiceAccountName: account, AutomountServiceAccountToken: new(bool),
			Containers: []corev1.Container{{Name: "invoicer", Image: "example.com/invoicer:1"}},
		},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
}

// follows runs a replica in a Pod, with its follower.
func (s *rolledOut) follows(pod string, config rollout.Config) *replica {
	s.t.Helper()
	r := s.replica(pod, func(c *singleton.Config) { c.Timing = lease.Timing{} }) // crashes are not tried
	config.Pod, config.Namespace = pod, s.namespace
	config.Logger = slog.New(slog.NewTextHandler(r.log, nil))
	follower, err := rollout.New(s.client(), config)
	require.NoError(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- follower.Run(ctx, r.elector) }()
	s.t.Cleanup(func() {
		cancel()
		assert.NoError(s.t, <-ended)
	})
	return r
}

func (s *rolledOut) deletesOld() {
	for _, pod := range []string{"old-1", "old-2"} {
		require.NoError(s.t, s.Admin().CoreV1().Pods(s.namespace).Delete(s.t.Context(), pod, metav1.DeleteOptions{}))
	}
}

func (s *rolledOut) cordonsOld() {
	_, err := s.Admin().CoreV1().Nodes().Patch(s.t.Context(), s.node("old"), types.MergePatchType,
		[]byte(`{"spec":{"unschedulable":true}}`), metav1.PatchOptions{})
	require.NoError(s.t, err)
}

// bringsRevision makes the second revision the newest. All Pods but one are of it.
func (s *rolledOut) bringsRevision() { s.annotates("2", 2) }

// annotates writes what the controller of Deployments does: three Pods are there, some of them new.
func (s *rolledOut) annotates(revision string, updated int32) {
	s.t.Helper()
	deployments := s.Admin().AppsV1().Deployments(s.namespace)
	d, err := deployments.Patch(s.t.Context(), "invoicer", types.MergePatchType,
		fmt.Appendf(nil, `{"metadata":{"annotations":{"deployment.kubernetes.io/revision":%q}}}`, revision),
		metav1.PatchOptions{})
	require.NoError(s.t, err)
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: 3, UpdatedReplicas: updated, ReadyReplicas: 3, AvailableReplicas: 3,
	}
	_, err = deployments.UpdateStatus(s.t.Context(), d, metav1.UpdateOptions{})
	require.NoError(s.t, err)
}

func (s *rolledOut) hasCost(pod string) bool {
	s.t.Helper()
	object, err := s.Admin().CoreV1().Pods(s.namespace).Get(s.t.Context(), pod, metav1.GetOptions{})
	require.NoError(s.t, err)
	return object.Annotations[rollout.AnnotationCost] != ""
}

// costs waits until that Pod alone has a cost.
func (s *rolledOut) costs(pod string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.hasCost(pod) }, patience, 20*time.Millisecond)
	for _, other := range []string{"old-2", "new-1"} {
		require.False(s.t, s.hasCost(other))
	}
}
