package leasetest

import (
	"errors"
	"strconv"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// exactly asks for the Lease of a name as of a version.
func exactly(name, version string) metav1.ListOptions {
	o := byName(name)
	o.ResourceVersion, o.ResourceVersionMatch = version, metav1.ResourceVersionMatchExact
	return o
}

// at returns the Lease of a name as of a version, nil if there was none.
func (s *suite) at(name, version string) *coordv1.Lease {
	s.Helper()
	list := s.list(exactly(name, version))
	require.Equal(s, version, list.ResourceVersion, "the list's own version is the one asked for")
	if len(list.Items) == 0 {
		return nil
	}
	require.Len(s, list.Items, 1)
	return &list.Items[0]
}

// moved returns the version n after another; n may be negative.
func (s *suite) moved(version string, n int64) string {
	s.Helper()
	v, err := strconv.ParseInt(version, 10, 64)
	require.NoError(s, err)
	return strconv.FormatInt(v+n, 10)
}

func exactShowsThePast(s *suite) {
	first := s.created()
	noise := s.created()
	second := s.update(held(first, "b"))
	require.Nil(s, s.at(first.Name, s.moved(first.ResourceVersion, -1)), "right before its creation")
	require.Equal(s, first, s.at(first.Name, first.ResourceVersion))
	require.Equal(s, first, s.at(first.Name, noise.ResourceVersion), "a version of another Lease")
	require.Equal(s, first, s.at(first.Name, s.moved(second.ResourceVersion, -1)), "right before its last write")
	require.Equal(s, second, s.at(first.Name, second.ResourceVersion), "the present, if nothing else was written")
	require.Nil(s, s.at(s.name(), second.ResourceVersion), "another name")
}

func exactAcrossDelete(s *suite) {
	old := s.created()
	require.NoError(s, s.leases.Delete(s.ctx, old.Name, metav1.DeleteOptions{}))
	again := s.lease()
	again.Name = old.Name
	again, err := s.leases.Create(s.ctx, again, metav1.CreateOptions{})
	require.NoError(s, err)
	require.Equal(s, old, s.at(old.Name, old.ResourceVersion))
	require.Nil(s, s.at(old.Name, s.moved(again.ResourceVersion, -1)), "between the two")
	require.Equal(s, again, s.at(old.Name, again.ResourceVersion))
}

func exactOfAll(s *suite) {
	lease := s.created()
	label := `{"metadata":{"labels":{"leasetest":"` + lease.Name + `"}}}`
	labelled, err := s.patch(lease.Name, "application/merge-patch+json", label)
	require.NoError(s, err)
	s.update(held(labelled, "b"))
	o := metav1.ListOptions{
		ResourceVersion: labelled.ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchExact,
	}
	list := s.list(o)
	require.Equal(s, labelled.ResourceVersion, list.ResourceVersion)
	require.Contains(s, list.Items, *labelled)
	o.LabelSelector = "leasetest=" + lease.Name
	require.Equal(s, []coordv1.Lease{*labelled}, s.list(o).Items)
	o.ResourceVersion = lease.ResourceVersion
	require.Empty(s, s.list(o).Items, "it had no label yet")
}

// exactFuture: for one name the store itself answers, at once and without
// asking to come back, so that client-go does not try again.
func exactFuture(s *suite) {
	lease := s.created()
	_, err := s.leases.List(s.ctx, exactly(lease.Name, s.moved(lease.ResourceVersion, 1_000_000)))
	if s.future(err) {
		return
	}
	status := s.refused(err, 504, metav1.StatusReasonTimeout, "Too large resource version")
	require.True(s, apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge))
	require.Zero(s, status.Details.RetryAfterSeconds)
}

// future reports whether the error is what Kubernetes 1.33 says of a version that is not there yet: it
// passes on what etcd says.
func (s *suite) future(err error) bool {
	s.Helper()
	var api apierrors.APIStatus
	if !errors.As(err, &api) || api.Status().Code != 500 {
		return false
	}
	require.ErrorContains(s, err, "required revision is a future revision")
	return true
}

func exactInvalid(s *suite) {
	for version, text := range map[string]string{
		"0": `resourceVersionMatch "exact" is forbidden for resourceVersion "0"`,
		"":  "resourceVersionMatch is forbidden unless resourceVersion is provided",
	} {
		_, err := s.leases.List(s.ctx, exactly("any", version))
		s.refused(err, 422, metav1.StatusReasonInvalid, text)
	}
	_, err := s.leases.List(s.ctx, exactly("any", "x"))
	s.refused(err, 400, metav1.StatusReasonBadRequest, "invalid resource version")
	o := exactly("any", "7")
	o.Continue = "token"
	_, err = s.leases.List(s.ctx, o)
	s.refused(err, 422, metav1.StatusReasonInvalid, "resourceVersionMatch is forbidden when continue is provided")
	o = exactly("any", "7")
	o.ResourceVersionMatch = "Roughly"
	_, err = s.leases.List(s.ctx, o)
	s.refused(err, 422, metav1.StatusReasonInvalid, "resourceVersionMatch")
}

func exactCompacted(s *suite) {
	compacter, ok := s.h.(Compacter)
	if !ok {
		s.Skip("this server cannot be made to forget")
	}
	old := s.created()
	now := s.update(held(old, "b"))
	compacter.Compact(s.T)
	for _, version := range []string{old.ResourceVersion, s.moved(now.ResourceVersion, -1), "1"} {
		_, err := s.leases.List(s.ctx, exactly(old.Name, version))
		s.refused(err, 410, metav1.StatusReasonExpired, "too old")
		require.True(s, apierrors.IsResourceExpired(err))
		require.False(s, apierrors.IsGone(err), "another reason for 410")
	}
	require.Equal(s, now, s.get(old.Name))
	last := s.update(held(now, "c"))
	require.Equal(s, now, s.at(old.Name, s.moved(last.ResourceVersion, -1)), "what comes after is kept")
}
