package leasetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// CacheAhead is the contract of a server whose store is restored under it, so
// that what it shows is ahead of what it stores. backup takes a backup; restore
// puts it back. It leaves the server unfit for other tests.
func CacheAhead(t *testing.T, h Harness, backup func() (restore func())) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	client := h.Client(t)
	s := &suite{
		T: t, h: h, ctx: ctx, ns: h.Namespace(),
		client: client, leases: client.CoordinationV1().Leases(h.Namespace()),
	}
	stored, quiet := s.created(), s.created()
	restore := backup()
	open := s.watch(from(stored.Name, stored.ResourceVersion))
	gone := s.created()
	unwritten := s.update(held(quiet, "lost"))
	shown := stored
	for range 8 {
		shown = s.update(held(shown, shown.ResourceVersion))
		require.Equal(s, shown, s.next(open).Object)
	}
	restore()
	require.EventuallyWithT(s, func(c *assert.CollectT) {
		now, err := s.leases.Get(s.ctx, stored.Name, metav1.GetOptions{})
		require.NoError(c, err)
		require.Equal(c, stored, now)
	}, patience, 100*time.Millisecond)

	s.shows(shown)
	s.shows(gone)
	getMissingNamed(s, gone.Name)
	s.readsApart(shown)
	s.refusesShown(shown)
	later := s.watch(from(stored.Name, shown.ResourceVersion))
	now := s.upTo(stored, shown)
	s.shows(shown)
	if now.ResourceVersion == shown.ResourceVersion {
		now = s.confuses(now, shown)
	} else {
		t.Log("another write took the version")
		now = s.update(held(now, "on"))
	}
	for _, w := range []apiwatch.Interface{open, later} {
		e := s.next(w)
		require.Equal(s, apiwatch.Modified, e.Type)
		require.Equal(s, now, e.Object, "nothing that was written before the store passed the cache")
	}
	s.shows(now)
	s.caughtUp(unwritten, gone)
}

// shows requires a LIST to show the Lease so.
func (s *suite) shows(lease *coordv1.Lease) {
	s.Helper()
	list := s.list(byName(lease.Name))
	require.Equal(s, []coordv1.Lease{*lease}, list.Items)
	require.GreaterOrEqual(s, s.compare(list.ResourceVersion, lease.ResourceVersion), 0)
}

// readsApart: who asks the store, and who the cache.
func (s *suite) readsApart(shown *coordv1.Lease) {
	cached, err := s.leases.Get(s.ctx, shown.Name, metav1.GetOptions{ResourceVersion: "0"})
	require.NoError(s, err)
	require.Equal(s, shown, cached)
	_, err = s.leases.List(s.ctx, exactly(shown.Name, shown.ResourceVersion))
	if s.future(err) {
		return // 1.33 has the store answer also for all of them
	}
	s.refused(err, 504, metav1.StatusReasonTimeout, "Too large resource version")
	all := s.list(metav1.ListOptions{
		ResourceVersion: shown.ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchExact,
	})
	require.Contains(s, all.Items, *shown)
}

// refusesShown: no write that starts from what is shown is done.
func (s *suite) refusesShown(shown *coordv1.Lease) {
	_, err := s.leases.Update(s.ctx, held(shown, "x"), metav1.UpdateOptions{})
	s.conflict(err, stale)
	_, err = s.ops(shown.Name, append(theTests(shown), op{"add", "/spec/holderIdentity", "x"})...)
	s.refused(err, 422, metav1.StatusReasonInvalid)
	_, err = s.ops(shown.Name, op{"test", "/spec/holderIdentity", *shown.Spec.HolderIdentity}, op{"add", "/spec/holderIdentity", "x"})
	s.refused(err, 422, metav1.StatusReasonInvalid)
	s.conflict(s.leases.Delete(s.ctx, shown.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{ResourceVersion: &shown.ResourceVersion},
	}), "ResourceVersion in the precondition")
}

// upTo writes the Lease until it is stored at the version of another record.
func (s *suite) upTo(lease, shown *coordv1.Lease) *coordv1.Lease {
	for s.compare(lease.ResourceVersion, shown.ResourceVersion) < 0 {
		lease = s.update(held(lease, "b"+lease.ResourceVersion))
		require.Equal(s, lease, s.get(lease.Name))
		if s.compare(lease.ResourceVersion, shown.ResourceVersion) < 0 {
			s.shows(shown)
		}
	}
	return lease
}

// confuses: at one version there is one record in the store and another in the
// cache. Tests meet the latter, and what passes them replaces the former.
func (s *suite) confuses(now, shown *coordv1.Lease) *coordv1.Lease {
	_, err := s.ops(now.Name, append(theTests(now), op{"add", "/spec/holderIdentity", "x"})...)
	s.refused(err, 422, metav1.StatusReasonInvalid)
	require.Equal(s, now, s.get(now.Name))
	got, err := s.ops(now.Name, append(theTests(shown), op{"add", "/spec/holderIdentity", "x"})...)
	require.NoError(s, err)
	require.Equal(s, got, s.get(now.Name))
	return got
}

// caughtUp: what is not written again is shown as it was.
func (s *suite) caughtUp(unwritten, gone *coordv1.Lease) {
	s.shows(unwritten)
	s.shows(gone)
	w := s.watch(from(gone.Name, s.list(byName(gone.Name)).ResourceVersion))
	gone.ResourceVersion = ""
	gone, err := s.leases.Create(s.ctx, gone, metav1.CreateOptions{})
	require.NoError(s, err)
	e := s.next(w)
	require.Equal(s, apiwatch.Modified, e.Type, "it was never seen to go")
	require.Equal(s, gone, e.Object)
	s.shows(gone)
	require.NoError(s, s.leases.Delete(s.ctx, unwritten.Name, metav1.DeleteOptions{}))
	require.Empty(s, s.list(byName(unwritten.Name)).Items)
}
