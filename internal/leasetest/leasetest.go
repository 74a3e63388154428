// Package leasetest is the contract that hotseat needs an API server to keep on
// Leases, as a test suite. It runs on the in-process server of apiserver and
// on real kube-apiservers, so that the double is no kinder than the real thing.
package leasetest

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/kubernetes"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
)

// Harness gives the suite a server.
type Harness interface {
	// Client may do everything with Leases in the namespace.
	Client(t *testing.T) kubernetes.Interface
	// Namespace exists and may hold other objects, which may change meanwhile.
	Namespace() string
}

// Compacter is a Harness that can make the server forget all versions before now,
// so that watches from them and lists of them get 410 Gone.
type Compacter interface {
	Compact(t *testing.T)
}

// patience bounds every wait: for answers and watch events, never for time to pass.
const patience = 30 * time.Second

// Run runs the whole contract. Each subtest uses Leases of its own, named at
// random, and deletes them.
func Run(t *testing.T, h Harness) {
	tests := []struct {
		name string
		run  func(*suite)
	}{
		{"CreateSetsUIDAndVersion", createSetsUIDAndVersion},
		{"CreateExisting", createExisting},
		{"CreateWithVersion", createWithVersion},
		{"CreateGeneratesName", createGeneratesName},
		{"UpdateIsCompareAndSwap", updateIsCompareAndSwap},
		{"UpdateWithoutVersion", updateWithoutVersion},
		{"UpdateChecksUID", updateChecksUID},
		{"UpdateMissingWithUID", updateMissingWithUID},
		{"UpdateMissingWithoutUID", updateMissingWithoutUID},
		{"UpdateKeepsServerFields", updateKeepsServerFields},
		{"UpdateKeepsOthersFields", updateKeepsOthersFields},
		{"UpdateWithoutChange", updateWithoutChange},
		{"UpdateNameMismatch", updateNameMismatch},
		{"NamespaceMismatch", namespaceMismatch},
		{"LabelEditConflictsStaleUpdate", labelEditConflictsStaleUpdate},
		{"OneWinner", oneWinner},
		{"Validation", validation},
		{"MicroTime", microTime},
		{"DryRun", dryRun},
		{"DeletePreconditions", deletePreconditions},
		{"DeleteMissing", deleteMissing},
		{"Finalizers", finalizers},
		{"DeleteWithDependents", deleteWithDependents},
		{"VersionsGrowAcrossDelete", versionsGrowAcrossDelete},
		{"GetMissing", getMissing},
		{"ListByName", listByName},
		{"ListByNameMissing", listByNameMissing},
		{"ListByLabel", listByLabel},
		{"ListByUnknownField", listByUnknownField},
		{"ListTheFuture", listTheFuture},
		{"MergePatch", mergePatch},
		{"StrategicMergePatch", strategicMergePatch},
		{"JSONPatch", jsonPatch},
		{"PatchWithVersion", patchWithVersion},
		{"PatchMissing", patchMissing},
		{"PatchWithoutChange", patchWithoutChange},
		{"PatchInvalid", patchInvalid},
		{"JSONPatchTests", jsonPatchTests},
		{"JSONPatchTestsAbsent", jsonPatchTestsAbsent},
		{"JSONPatchWrites", jsonPatchWrites},
		{"JSONPatchWithoutChange", jsonPatchWithoutChange},
		{"JSONPatchMissing", jsonPatchMissing},
		{"JSONPatchInvalid", jsonPatchInvalid},
		{"JSONPatchesMeet", jsonPatchesMeet},
		{"ExactShowsThePast", exactShowsThePast},
		{"ExactAcrossDelete", exactAcrossDelete},
		{"ExactOfAll", exactOfAll},
		{"ExactFuture", exactFuture},
		{"ExactInvalid", exactInvalid},
		{"ExactCompacted", exactCompacted},
		{"WatchFromList", watchFromList},
		{"WatchReplays", watchReplays},
		{"WatchWithoutVersion", watchWithoutVersion},
		{"WatchByLabel", watchByLabel},
		{"WatchInitialEvents", watchInitialEvents},
		{"WatchBookmarkAndTimeout", watchBookmarkAndTimeout},
		{"WatchExpired", watchExpired},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			t.Cleanup(cancel)
			client := h.Client(t)
			test.run(&suite{
				T: t, h: h, ctx: ctx, ns: h.Namespace(),
				client: client, leases: client.CoordinationV1().Leases(h.Namespace()),
			})
		})
	}
}

// suite is what one subtest works with.
type suite struct {
	*testing.T
	h      Harness
	ctx    context.Context
	ns     string
	client kubernetes.Interface
	leases coordclient.LeaseInterface
}

// name returns a Lease name of its own and has that Lease deleted at the end.
func (s *suite) name() string {
	name := "leasetest-" + strings.ToLower(rand.Text()[:12])
	s.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		err := s.leases.Delete(ctx, name, metav1.DeleteOptions{})
		if !apierrors.IsNotFound(err) {
			require.NoError(s, err)
		}
	})
	return name
}

// lease returns a Lease that is not stored yet.
func (s *suite) lease() *coordv1.Lease {
	return &coordv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name:        s.name(),
			Annotations: map[string]string{"example.com/epoch": "7"},
		},
		Spec: coordv1.LeaseSpec{
			HolderIdentity:       new("holder"),
			LeaseDurationSeconds: new(int32(15)),
			LeaseTransitions:     new(int32(3)),
			AcquireTime:          new(metav1.NewMicroTime(time.Date(2031, 1, 2, 3, 4, 5, 678_901_000, time.UTC))),
			RenewTime:            new(metav1.NewMicroTime(time.Date(2031, 1, 2, 3, 4, 6, 1000, time.UTC))),
		},
	}
}

// created returns a stored Lease.
func (s *suite) created() *coordv1.Lease {
	lease, err := s.leases.Create(s.ctx, s.lease(), metav1.CreateOptions{})
	require.NoError(s, err)
	return lease
}

func (s *suite) get(name string) *coordv1.Lease {
	lease, err := s.leases.Get(s.ctx, name, metav1.GetOptions{})
	require.NoError(s, err)
	return lease
}

func (s *suite) update(lease *coordv1.Lease) *coordv1.Lease {
	lease, err := s.leases.Update(s.ctx, lease, metav1.UpdateOptions{})
	require.NoError(s, err)
	return lease
}

// held returns a copy of the Lease with another holder.
func held(lease *coordv1.Lease, by string) *coordv1.Lease {
	lease = lease.DeepCopy()
	lease.Spec.HolderIdentity = &by
	return lease
}

// newer requires that resourceVersion a is newer than b.
func (s *suite) newer(a, b string) {
	s.Helper()
	n, err := resourceversion.CompareResourceVersion(a, b)
	require.NoError(s, err)
	require.Positive(s, n, "resourceVersion %s must be newer than %s", a, b)
}

// refused requires a Status error with the given HTTP code and reason, whose
// message holds each of the texts.
func (s *suite) refused(err error, code int32, reason metav1.StatusReason, texts ...string) metav1.Status {
	s.Helper()
	var api apierrors.APIStatus
	require.ErrorAs(s, err, &api)
	status := api.Status()
	require.Equal(s, code, status.Code, "%v", err)
	require.Equal(s, reason, status.Reason, "%v", err)
	for _, text := range texts {
		require.Contains(s, status.Message, text)
	}
	return status
}

// conflict requires the 409 of a lost compare-and-swap.
func (s *suite) conflict(err error, texts ...string) {
	s.Helper()
	s.refused(err, 409, metav1.StatusReasonConflict, texts...)
	require.True(s, apierrors.IsConflict(err))
}

// compare returns -1, 0 or 1 as resourceVersion a is older than, the same as or
// newer than b.
func (s *suite) compare(a, b string) int {
	s.Helper()
	n, err := resourceversion.CompareResourceVersion(a, b)
	require.NoError(s, err)
	return n
}
