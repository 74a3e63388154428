package leasetest

import (
	"math"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const stale = "the object has been modified"

func createSetsUIDAndVersion(s *suite) {
	sent := s.lease()
	got, err := s.leases.Create(s.ctx, sent, metav1.CreateOptions{})
	require.NoError(s, err)
	require.NotEmpty(s, got.UID)
	require.False(s, got.CreationTimestamp.IsZero())
	require.Equal(s, s.ns, got.Namespace)
	require.Equal(s, sent.Annotations, got.Annotations)
	require.Equal(s, sent.Spec.HolderIdentity, got.Spec.HolderIdentity)
	s.newer(got.ResourceVersion, "1")
	require.Equal(s, got, s.get(got.Name))
}

func createExisting(s *suite) {
	old := s.created()
	_, err := s.leases.Create(s.ctx, &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: old.Name}}, metav1.CreateOptions{})
	status := s.refused(err, 409, metav1.StatusReasonAlreadyExists, `"`+old.Name+`" already exists`)
	require.Equal(s, "leases", status.Details.Kind)
	require.False(s, apierrors.IsConflict(err), "it is not the conflict of a compare-and-swap")
	require.Equal(s, old, s.get(old.Name))
}

func createWithVersion(s *suite) {
	lease := s.lease()
	lease.ResourceVersion = "1"
	_, err := s.leases.Create(s.ctx, lease, metav1.CreateOptions{})
	s.refused(err, 500, metav1.StatusReasonUnknown, "resourceVersion should not be set on objects to be created")
	getMissingNamed(s, lease.Name)
}

func createGeneratesName(s *suite) {
	lease := s.lease()
	prefix := lease.Name + "-"
	lease.Name, lease.GenerateName = "", prefix
	got, err := s.leases.Create(s.ctx, lease, metav1.CreateOptions{})
	require.NoError(s, err)
	s.Cleanup(func() { _ = s.leases.Delete(s.ctx, got.Name, metav1.DeleteOptions{}) })
	require.Regexp(s, "^"+prefix+"[a-z0-9]{5}$", got.Name)
	require.Equal(s, got, s.get(got.Name))
	require.NoError(s, s.leases.Delete(s.ctx, got.Name, metav1.DeleteOptions{}))
}

func updateIsCompareAndSwap(s *suite) {
	first := s.created()
	second := s.update(held(first, "b"))
	s.newer(second.ResourceVersion, first.ResourceVersion)
	_, err := s.leases.Update(s.ctx, held(first, "c"), metav1.UpdateOptions{})
	s.conflict(err, stale, `leases.coordination.k8s.io "`+first.Name+`"`)
	require.Equal(s, second, s.get(first.Name), "the losing write must leave nothing")
}

func updateWithoutVersion(s *suite) {
	old := s.created()
	lease := held(old, "b")
	lease.ResourceVersion = ""
	_, err := s.leases.Update(s.ctx, lease, metav1.UpdateOptions{})
	status := s.refused(err, 422, metav1.StatusReasonInvalid, "metadata.resourceVersion", "must be specified for an update")
	require.Equal(s, "metadata.resourceVersion", status.Details.Causes[0].Field)
	require.Equal(s, old, s.get(old.Name))
}

func updateChecksUID(s *suite) {
	old := s.created()
	lease := held(old, "b")
	lease.UID = "00000000-0000-4000-8000-000000000000"
	_, err := s.leases.Update(s.ctx, lease, metav1.UpdateOptions{})
	s.conflict(err, "Precondition failed: UID in precondition: "+string(lease.UID)+", UID in object meta: "+string(old.UID))
	require.Equal(s, old, s.get(old.Name))

	lease.UID = "" // no precondition; the stored one is kept
	require.Equal(s, old.UID, s.update(lease).UID)
}

func updateMissingWithUID(s *suite) {
	old := s.created()
	require.NoError(s, s.leases.Delete(s.ctx, old.Name, metav1.DeleteOptions{}))
	_, err := s.leases.Update(s.ctx, held(old, "b"), metav1.UpdateOptions{})
	s.conflict(err, "Precondition failed: UID in precondition: "+string(old.UID)+", UID in object meta: ")
	getMissingNamed(s, old.Name)
}

func updateMissingWithoutUID(s *suite) {
	old := s.created()
	require.NoError(s, s.leases.Delete(s.ctx, old.Name, metav1.DeleteOptions{}))
	lease := held(old, "b")
	lease.UID = "" // its resourceVersion does not protect it
	got := s.update(lease)
	require.NotEqual(s, old.UID, got.UID)
	s.newer(got.ResourceVersion, old.ResourceVersion)
	require.Equal(s, "b", *s.get(old.Name).Spec.HolderIdentity)
}

func updateKeepsServerFields(s *suite) {
	old := s.created()
	lease := held(old, "b")
	lease.UID = ""
	lease.CreationTimestamp = metav1.NewTime(time.Unix(1, 0))
	lease.Generation = 99
	got := s.update(lease)
	require.Equal(s, old.UID, got.UID)
	require.Equal(s, old.CreationTimestamp, got.CreationTimestamp)
	require.Equal(s, old.Generation, got.Generation)
}

func updateKeepsOthersFields(s *suite) {
	lease := s.lease()
	lease.Labels = map[string]string{"team": "billing"}
	lease.Annotations["other.example.com/note"] = "keep me"
	old, err := s.leases.Create(s.ctx, lease, metav1.CreateOptions{})
	require.NoError(s, err)
	got := s.update(held(s.get(old.Name), "b"))
	require.Equal(s, lease.Labels, got.Labels)
	require.Equal(s, lease.Annotations, got.Annotations)
	require.Equal(s, old.Spec.LeaseTransitions, got.Spec.LeaseTransitions)
	require.Equal(s, old.Spec.AcquireTime, got.Spec.AcquireTime)

	got.Annotations, got.Spec.HolderIdentity = nil, nil // what a PUT leaves out is gone
	got = s.update(got)
	require.Empty(s, got.Annotations)
	require.Nil(s, got.Spec.HolderIdentity)
}

func updateWithoutChange(s *suite) {
	old := s.created()
	got := s.update(old.DeepCopy())
	require.Equal(s, old.ResourceVersion, got.ResourceVersion)
	require.Equal(s, old.ResourceVersion, s.get(old.Name).ResourceVersion)
}

func updateNameMismatch(s *suite) {
	lease := s.created()
	err := s.client.CoordinationV1().RESTClient().Put().Namespace(s.ns).Resource("leases").Name(lease.Name + "-x").
		Body(lease).Do(s.ctx).Error()
	s.refused(err, 400, metav1.StatusReasonBadRequest, "does not match the name on the URL")
}

func namespaceMismatch(s *suite) {
	lease := s.lease()
	lease.Namespace = "another-" + s.ns
	_, err := s.leases.Create(s.ctx, lease, metav1.CreateOptions{})
	s.refused(err, 400, metav1.StatusReasonBadRequest, "the namespace of the provided object does not match the namespace sent on the request")
	lease = s.created()
	lease.Namespace = "another-" + s.ns
	_, err = s.leases.Update(s.ctx, lease, metav1.UpdateOptions{})
	s.refused(err, 400, metav1.StatusReasonBadRequest, "the namespace of the provided object does not match the namespace sent on the request")
}

func labelEditConflictsStaleUpdate(s *suite) {
	old := s.created()
	labelled, err := s.leases.Patch(s.ctx, old.Name, types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{})
	require.NoError(s, err)
	s.newer(labelled.ResourceVersion, old.ResourceVersion)
	_, err = s.leases.Update(s.ctx, held(old, "b"), metav1.UpdateOptions{})
	s.conflict(err, stale)
	require.Equal(s, "b", *s.update(held(labelled, "b")).Spec.HolderIdentity)
}

func oneWinner(s *suite) {
	old := s.created()
	const writers = 12
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			_, errs[i] = s.leases.Update(s.ctx, held(old, string(rune('a'+i))), metav1.UpdateOptions{})
		})
	}
	wg.Wait()
	winner := ""
	for i, err := range errs {
		if err == nil {
			require.Empty(s, winner, "two writers won")
			winner = string(rune('a' + i))
			continue
		}
		s.conflict(err, stale)
	}
	require.NotEmpty(s, winner, "nobody won")
	require.Equal(s, winner, *s.get(old.Name).Spec.HolderIdentity)
}

func validation(s *suite) {
	for _, test := range []struct {
		name, field string
		spoil       func(*coordv1.Lease)
	}{
		{"zero duration", "spec.leaseDurationSeconds", func(l *coordv1.Lease) { l.Spec.LeaseDurationSeconds = new(int32(0)) }},
		{"negative duration", "spec.leaseDurationSeconds", func(l *coordv1.Lease) { l.Spec.LeaseDurationSeconds = new(int32(-1)) }},
		{"negative transitions", "spec.leaseTransitions", func(l *coordv1.Lease) { l.Spec.LeaseTransitions = new(int32(-1)) }},
		{"annotation key", "metadata.annotations", func(l *coordv1.Lease) { l.Annotations["not a key"] = "" }},
		{"label value", "metadata.labels", func(l *coordv1.Lease) { l.Labels = map[string]string{"a": "not a value"} }},
	} {
		lease := s.lease()
		test.spoil(lease)
		_, err := s.leases.Create(s.ctx, lease, metav1.CreateOptions{})
		s.invalid(err, test.name, test.field)
		getMissingNamed(s, lease.Name)

		old := s.created()
		lease = old.DeepCopy()
		test.spoil(lease)
		_, err = s.leases.Update(s.ctx, lease, metav1.UpdateOptions{})
		s.invalid(err, test.name, test.field)
		require.Equal(s, old, s.get(old.Name), test.name)
	}
	bad := s.lease()
	bad.Name = "Not_A_Name"
	_, err := s.leases.Create(s.ctx, bad, metav1.CreateOptions{})
	s.invalid(err, "name", "metadata.name")
	bad.Name = ""
	_, err = s.leases.Create(s.ctx, bad, metav1.CreateOptions{})
	s.invalid(err, "no name", "metadata.name")

	most := s.lease()
	most.Spec.LeaseTransitions = new(int32(math.MaxInt32))
	most.Spec.LeaseDurationSeconds = new(int32(1))
	got, err := s.leases.Create(s.ctx, most, metav1.CreateOptions{})
	require.NoError(s, err)
	require.EqualValues(s, math.MaxInt32, *got.Spec.LeaseTransitions)
}

func (s *suite) invalid(err error, name, field string) {
	s.Helper()
	status := s.refused(err, 422, metav1.StatusReasonInvalid, field, `Lease.coordination.k8s.io "`)
	require.Equal(s, "Lease", status.Details.Kind, name)
	var fields []string
	for _, cause := range status.Details.Causes {
		fields = append(fields, cause.Field)
	}
	require.Contains(s, fields, field, name)
}

func microTime(s *suite) {
	lease := s.lease()
	exact := time.Date(2031, 12, 31, 23, 59, 59, 123_456_000, time.UTC)
	lease.Spec.RenewTime = new(metav1.NewMicroTime(exact))
	lease.Spec.AcquireTime = new(metav1.NewMicroTime(exact.Add(789))) // ns: finer than the format
	_, err := s.leases.Create(s.ctx, lease, metav1.CreateOptions{})
	require.NoError(s, err)
	got := s.get(lease.Name)
	require.True(s, got.Spec.RenewTime.Time.Equal(exact), "got %v", got.Spec.RenewTime)
	require.True(s, got.Spec.AcquireTime.Time.Equal(exact), "got %v", got.Spec.AcquireTime)
}

func dryRun(s *suite) {
	old := s.created()
	got, err := s.leases.Update(s.ctx, held(old, "b"), metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
	require.NoError(s, err)
	require.Equal(s, "b", *got.Spec.HolderIdentity)
	require.NoError(s, s.leases.Delete(s.ctx, old.Name, metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}))
	require.Equal(s, old, s.get(old.Name))
}

func deletePreconditions(s *suite) {
	old := s.created()
	now := s.update(held(old, "b"))
	del := func(p metav1.Preconditions) error {
		return s.leases.Delete(s.ctx, old.Name, metav1.DeleteOptions{Preconditions: &p})
	}
	s.conflict(del(metav1.Preconditions{UID: new(types.UID("other"))}), "the UID in the precondition (other) does not match")
	s.conflict(del(metav1.Preconditions{UID: &now.UID, ResourceVersion: &old.ResourceVersion}), "ResourceVersion in the precondition")
	require.Equal(s, now, s.get(old.Name))
	require.NoError(s, del(metav1.Preconditions{UID: &now.UID, ResourceVersion: &now.ResourceVersion}))
	getMissingNamed(s, old.Name)
}

func deleteMissing(s *suite) {
	name := s.name()
	err := s.leases.Delete(s.ctx, name, metav1.DeleteOptions{})
	s.refused(err, 404, metav1.StatusReasonNotFound, `leases.coordination.k8s.io "`+name+`" not found`)
}

func versionsGrowAcrossDelete(s *suite) {
	old := s.created()
	require.NoError(s, s.leases.Delete(s.ctx, old.Name, metav1.DeleteOptions{}))
	again := s.lease()
	again.Name = old.Name
	got, err := s.leases.Create(s.ctx, again, metav1.CreateOptions{})
	require.NoError(s, err)
	require.NotEqual(s, old.UID, got.UID)
	s.newer(got.ResourceVersion, old.ResourceVersion)
}
