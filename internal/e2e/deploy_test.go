//go:build unix

package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/e2e/manifests"
)

// kubectl runs it in the shop's namespace.
func (s shop) kubectl(stdin string, args ...string) string {
	s.t.Helper()
	out, err := s.Kubectl(s.t.Context(), stdin, append([]string{"-n", s.namespace}, args...)...)
	orSkip(s.t, err)
	return out
}

// emptyShop is a namespace in which nothing was applied yet.
func emptyShop(t *testing.T, labels map[string]string) shop {
	t.Helper()
	s := newShop(t, sharedCluster(t))
	namespaces := s.Admin().CoreV1().Namespaces()
	n, err := namespaces.Get(t.Context(), s.namespace, metav1.GetOptions{})
	require.NoError(t, err)
	n.Labels = labels
	_, err = namespaces.Update(t.Context(), n, metav1.UpdateOptions{})
	require.NoError(t, err)
	return s
}

// TestDeployIsValid: kubectl builds what the other tests apply, and a real API server takes it
// strictly, with every component, in a namespace that enforces restricted Pod Security. So it does
// with the overlay of examples/gateway.
func TestDeployIsValid(t *testing.T) {
	s := emptyShop(t, map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted",
	})
	strict := []string{"apply", "--validate=strict", "--dry-run=server"}
	var built []byte
	for _, folder := range []string{"../../examples/gateway/deploy", deployFolder} {
		var err error
		built, err = manifests.Build(folder)
		require.NoError(t, err)
		require.Equal(t, string(built), s.kubectl("", "kustomize", folder))
		require.NotContains(t, s.kubectl("", append(strict, "-k", folder)...), "Warning", folder)
	}
	components, err := os.ReadDir(filepath.Join(deployFolder, "components"))
	require.NoError(t, err)
	for _, c := range components {
		with, err := manifests.Build(deployFolder, c.Name())
		require.NoError(t, err)
		documents := slices.DeleteFunc(strings.Split(string(with), "\n---\n"), func(d string) bool {
			return strings.Contains(d, "apiVersion: monitoring.coreos.com/") // no operator is here
		})
		require.NotContains(t, s.kubectl(strings.Join(documents, "\n---\n"), append(strict, "-f", "-")...), "Warning", c.Name())
	}
	misspelt := strings.Replace(string(built), "readinessProbe:", "readynessProbe:", 1)
	_, err = s.Kubectl(t.Context(), misspelt, append([]string{"-n", s.namespace}, append(strict, "-f", "-")...)...)
	require.ErrorContains(t, err, "readynessProbe", "strict is not strict")

	s.kubectl("", "apply", "-k", deployFolder)
	require.NoError(t, s.podOf(func(*corev1.PodSpec) {}))
	require.ErrorContains(t, s.podOf(func(p *corev1.PodSpec) { p.Containers[0].SecurityContext = nil }),
		"violates PodSecurity", "nobody enforces restricted")
}

// podOf asks the API server whether it would take a Pod of the Deployment.
func (s shop) podOf(change func(*corev1.PodSpec)) error {
	d, err := s.Admin().AppsV1().Deployments(s.namespace).Get(s.t.Context(), "invoicer", metav1.GetOptions{})
	require.NoError(s.t, err)
	change(&d.Spec.Template.Spec)
	_, err = s.Admin().CoreV1().Pods(s.namespace).Create(s.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Labels: d.Spec.Template.Labels}, Spec: d.Spec.Template.Spec,
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

// The Lease as some write it in their manifests.
const leaseWith = `apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: invoicer}
`

// TestAppliedAgain: whatever way the manifests are applied again, the term that is on goes on.
func TestAppliedAgain(t *testing.T) {
	s := emptyShop(t, nil)
	again := [][]string{
		{"apply", "-k", deployFolder},
		{"apply", "--server-side", "-k", deployFolder},
		{"apply", "--server-side", "--force-conflicts", "-k", deployFolder},
		{"apply", "-k", deployFolder},
		{"label", "lease", "invoicer", "team=billing"},
		{"annotate", "lease", "invoicer", "note=x"},
	}
	s.kubectl("", again[0]...)
	a := s.replica("a")
	s.works(a)
	require.Zero(t, a.log.count("waiting for a lease duration"), "a Lease that was shipped is free")
	first := a.elector.Status().Token
	goesOn := func(what string) {
		s.idles(a, replicaTiming().RetryPeriod*3)
		require.Equal(t, first, a.elector.Status().Token, what)
	}
	for _, args := range again {
		s.kubectl("", args...)
		goesOn(strings.Join(args, " "))
	}
	empty := leaseWith + "spec: {}\n"
	for _, way := range []string{"--server-side=false", "--server-side"} {
		s.kubectl(empty, "apply", way, "-f", "-")
		goesOn("an empty spec, " + way)
	}
	require.NotContains(t, a.log.String(), "level=WARN")

	// What the guide warns of, which also shows that the above can fail.
	before := first
	for _, accident := range [][]string{
		{leaseWith, "apply", "-f", "-"}, // which takes the empty spec away
		{leaseWith + "spec: {holderIdentity: \"\"}\n", "apply", "-f", "-"},
		{leaseWith, "replace", "-f", "-"},
	} {
		s.kubectl(accident[0], accident[1:]...)
		s.works(a)
		require.Greater(t, a.elector.Status().Token.Epoch, before.Epoch)
		before = a.elector.Status().Token
	}
}

// TestAppliedTwiceBeforeTheFirstStart: the Lease still counts as shipped.
func TestAppliedTwiceBeforeTheFirstStart(t *testing.T) {
	for _, way := range []string{"--server-side=false", "--server-side"} {
		t.Run(way, func(t *testing.T) {
			s := emptyShop(t, nil)
			for range 3 {
				s.kubectl("", "apply", way, "-k", deployFolder)
				time.Sleep(1100 * time.Millisecond) // the API server's times are whole seconds
			}
			a := s.replica("a")
			s.works(a)
			require.Zero(t, a.log.count("waiting for a lease duration"))
		})
	}
}

// TestInstalledAnewDuringADrain: a tool that heeds the Lease's annotation leaves it there, and the
// new replica waits for the one that still drains. Where the Lease is deleted too, it does not: that
// is an exception which the guide lists.
func TestInstalledAnewDuringADrain(t *testing.T) {
	for name, keeps := range map[string]bool{"kept": true, "deleted": false} {
		t.Run(name, func(t *testing.T) {
			s := openShop(t, sharedCluster(t), nil)
			returned := make(chan struct{})
			old := s.replica("old")
			s.works(old)
			old.drain = func() { <-returned }
			old.stop()
			s.uninstall(keeps)
			for _, object := range shipped(t) {
				if err := s.apply(object); !apierrors.IsAlreadyExists(err) {
					require.NoError(t, err)
				}
			}
			next := s.replica("next")
			if !keeps {
				s.works(next)
				close(returned)
				return
			}
			s.idles(next, time.Second)
			close(returned)
			s.works(next)
		})
	}
}

// uninstall deletes what was applied, as Helm does.
func (s shop) uninstall(keeps bool) {
	s.t.Helper()
	ctx, admin, now := s.t.Context(), s.Admin(), metav1.DeleteOptions{}
	require.NoError(s.t, errors.Join(
		admin.AppsV1().Deployments(s.namespace).Delete(ctx, "invoicer", now),
		admin.PolicyV1().PodDisruptionBudgets(s.namespace).Delete(ctx, "invoicer", now),
		admin.RbacV1().RoleBindings(s.namespace).Delete(ctx, "invoicer", now),
		admin.RbacV1().Roles(s.namespace).Delete(ctx, "invoicer", now),
		admin.CoreV1().ServiceAccounts(s.namespace).Delete(ctx, account, now)))
	lease, err := s.leases().Get(s.t.Context(), leaseName, metav1.GetOptions{})
	require.NoError(s.t, err)
	require.Equal(s.t, "keep", lease.Annotations["helm.sh/resource-policy"])
	if !keeps {
		s.deleteLease()
	}
}
