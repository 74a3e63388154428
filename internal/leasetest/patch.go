package leasetest

import (
	"fmt"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func (s *suite) patch(name string, kind types.PatchType, patch string) (*coordv1.Lease, error) {
	return s.leases.Patch(s.ctx, name, kind, []byte(patch), metav1.PatchOptions{})
}

func mergePatch(s *suite) {
	old := s.created()
	got, err := s.patch(old.Name, types.MergePatchType, `{"metadata":{"annotations":{"example.com/epoch":null,"a":"b"}},"spec":{"holderIdentity":"x"}}`)
	require.NoError(s, err)
	require.Equal(s, map[string]string{"a": "b"}, got.Annotations)
	s.patched(old, got)
}

func strategicMergePatch(s *suite) {
	old := s.created()
	got, err := s.patch(old.Name, types.StrategicMergePatchType, `{"metadata":{"annotations":{"a":"b"}},"spec":{"holderIdentity":"x"}}`)
	require.NoError(s, err)
	require.Equal(s, map[string]string{"example.com/epoch": "7", "a": "b"}, got.Annotations)
	s.patched(old, got)
}

func jsonPatch(s *suite) {
	old := s.created()
	got, err := s.patch(old.Name, types.JSONPatchType, `[{"op":"test","path":"/spec/holderIdentity","value":"holder"},{"op":"replace","path":"/spec/holderIdentity","value":"x"}]`)
	require.NoError(s, err)
	s.patched(old, got)
	_, err = s.patch(old.Name, types.JSONPatchType, `[{"op":"test","path":"/spec/holderIdentity","value":"holder"}]`)
	s.refused(err, 422, metav1.StatusReasonInvalid)
}

// patched checks what the three kinds have in common: one field changed.
func (s *suite) patched(old, got *coordv1.Lease) {
	s.Helper()
	require.Equal(s, "x", *got.Spec.HolderIdentity)
	require.Equal(s, old.Spec.RenewTime, got.Spec.RenewTime)
	require.Equal(s, old.Spec.LeaseTransitions, got.Spec.LeaseTransitions)
	require.Equal(s, old.UID, got.UID)
	s.newer(got.ResourceVersion, old.ResourceVersion)
	require.Equal(s, got, s.get(old.Name))
}

func patchWithVersion(s *suite) {
	old := s.created()
	now := s.update(held(old, "b"))
	patch := `{"metadata":{"resourceVersion":%q},"spec":{"holderIdentity":"x"}}`
	_, err := s.patch(old.Name, types.MergePatchType, fmt.Sprintf(patch, old.ResourceVersion))
	s.conflict(err, stale)
	require.Equal(s, now, s.get(old.Name))
	_, err = s.patch(old.Name, types.MergePatchType, fmt.Sprintf(patch, now.ResourceVersion))
	require.NoError(s, err)
	_, err = s.patch(old.Name, types.MergePatchType, `{"metadata":{"uid":"other"}}`)
	s.invalid(err, "uid", "metadata.uid")
}

func patchMissing(s *suite) {
	_, err := s.patch(s.name(), types.MergePatchType, `{}`)
	s.refused(err, 404, metav1.StatusReasonNotFound)
}

func patchWithoutChange(s *suite) {
	old := s.created()
	got, err := s.patch(old.Name, types.MergePatchType, `{"spec":{"holderIdentity":"holder"}}`)
	require.NoError(s, err)
	require.Equal(s, old.ResourceVersion, got.ResourceVersion)
}

func patchInvalid(s *suite) {
	old := s.created()
	_, err := s.patch(old.Name, types.MergePatchType, `{"spec":{"leaseDurationSeconds":0}}`)
	s.invalid(err, "duration", "spec.leaseDurationSeconds")
	_, err = s.patch(old.Name, types.MergePatchType, `{`)
	s.refused(err, 400, metav1.StatusReasonBadRequest)
	require.Equal(s, old, s.get(old.Name))
}
