package leasetest

import (
	"strings"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

func (s *suite) watch(o metav1.ListOptions) apiwatch.Interface {
	s.Helper()
	w, err := s.leases.Watch(s.ctx, o)
	require.NoError(s, err)
	s.Cleanup(w.Stop)
	return w
}

// next returns the next event, which must not be the end of the watch.
func (s *suite) next(w apiwatch.Interface) apiwatch.Event {
	s.Helper()
	select {
	case e, open := <-w.ResultChan():
		require.True(s, open, "the watch ended")
		return e
	case <-s.ctx.Done():
		require.FailNow(s, "no event came")
		panic("unreachable")
	}
}

// expect requires the next event to be of this kind, and of this Lease.
func (s *suite) expect(w apiwatch.Interface, kind apiwatch.EventType, want *coordv1.Lease) {
	s.Helper()
	e := s.next(w)
	require.Equal(s, kind, e.Type, "%v", e.Object)
	require.Equal(s, want, e.Object)
}

// from returns options for a watch of one Lease from a version on.
func from(name, version string) metav1.ListOptions {
	o := byName(name)
	o.ResourceVersion = version
	return o
}

// history changes a Lease in every way and returns it after each change, the
// last time as it was when it was deleted.
func (s *suite) history() (lease *coordv1.Lease, steps []*coordv1.Lease) {
	noise := s.created()
	created := s.created()
	noise = s.update(held(noise, "b"))
	updated := s.update(held(created, "b"))
	labelled, err := s.patch(created.Name, types.MergePatchType, `{"metadata":{"labels":{"a":"b"}}}`)
	require.NoError(s, err)
	s.update(labelled.DeepCopy()) // no change, so no event
	s.update(held(noise, "c"))
	require.NoError(s, s.leases.Delete(s.ctx, created.Name, metav1.DeleteOptions{}))
	return created, []*coordv1.Lease{created, updated, labelled}
}

// expectDeleted requires a DELETED event with the last state at a newer version.
func (s *suite) expectDeleted(w apiwatch.Interface, last *coordv1.Lease) {
	s.Helper()
	e := s.next(w)
	require.Equal(s, apiwatch.Deleted, e.Type)
	gone := e.Object.(*coordv1.Lease).DeepCopy()
	s.newer(gone.ResourceVersion, last.ResourceVersion)
	gone.ResourceVersion = last.ResourceVersion
	require.Equal(s, last, gone)
}

func watchFromList(s *suite) {
	lease := s.created()
	list := s.list(byName(lease.Name))
	w := s.watch(from(lease.Name, list.ResourceVersion))
	updated := s.update(held(lease, "b"))
	s.expect(w, apiwatch.Modified, updated)
	s.update(held(s.created(), "noise"))
	labelled, err := s.patch(lease.Name, types.MergePatchType, `{"metadata":{"labels":{"a":"b"}}}`)
	require.NoError(s, err)
	s.expect(w, apiwatch.Modified, labelled)
	require.NoError(s, s.leases.Delete(s.ctx, lease.Name, metav1.DeleteOptions{}))
	s.expectDeleted(w, labelled)
	again := s.lease()
	again.Name = lease.Name
	again, err = s.leases.Create(s.ctx, again, metav1.CreateOptions{})
	require.NoError(s, err)
	s.expect(w, apiwatch.Added, again)
}

func watchReplays(s *suite) {
	before := s.list(metav1.ListOptions{}).ResourceVersion
	lease, steps := s.history()
	w := s.watch(from(lease.Name, before))
	s.expect(w, apiwatch.Added, steps[0])
	s.expect(w, apiwatch.Modified, steps[1])
	s.expect(w, apiwatch.Modified, steps[2])
	s.expectDeleted(w, steps[2])

	w = s.watch(from(lease.Name, steps[1].ResourceVersion))
	s.expect(w, apiwatch.Modified, steps[2])
	s.expectDeleted(w, steps[2])
}

func watchWithoutVersion(s *suite) {
	lease := s.update(held(s.created(), "b"))
	w := s.watch(byName(lease.Name))
	s.leadsTo(w, lease) // Kubernetes 1.33 starts it at an earlier state, from its cache
	s.expect(w, apiwatch.Modified, s.update(held(lease, "c")))

	lease = s.get(lease.Name)
	s.leadsTo(s.watch(from(lease.Name, "0")), lease)
}

// leadsTo requires a watch to start at any state that the server had, and to lead to now.
func (s *suite) leadsTo(w apiwatch.Interface, lease *coordv1.Lease) {
	s.Helper()
	e := s.next(w)
	require.Equal(s, apiwatch.Added, e.Type)
	for e.Object.(*coordv1.Lease).ResourceVersion != lease.ResourceVersion {
		e = s.next(w)
	}
	require.Equal(s, lease, e.Object)
}

func watchByLabel(s *suite) {
	lease := s.created()
	list := s.list(metav1.ListOptions{})
	w := s.watch(metav1.ListOptions{LabelSelector: "leasetest=" + lease.Name, ResourceVersion: list.ResourceVersion})
	labelled, err := s.patch(lease.Name, types.MergePatchType, `{"metadata":{"labels":{"leasetest":"`+lease.Name+`"}}}`)
	require.NoError(s, err)
	s.expect(w, apiwatch.Added, labelled)
	without, err := s.patch(lease.Name, types.MergePatchType, `{"metadata":{"labels":null}}`)
	require.NoError(s, err)
	e := s.next(w)
	require.Equal(s, apiwatch.Deleted, e.Type, "what is no longer selected is deleted for the watch")
	labelled.ResourceVersion = without.ResourceVersion
	require.Equal(s, labelled, e.Object)
}

func watchInitialEvents(s *suite) {
	lease := s.created()
	o := byName(lease.Name)
	o.SendInitialEvents = new(true)
	o.ResourceVersionMatch = metav1.ResourceVersionMatchNotOlderThan
	o.AllowWatchBookmarks = true
	w, err := s.leases.Watch(s.ctx, o)
	if apierrors.IsInvalid(err) && strings.Contains(err.Error(), "WatchList feature gate") {
		s.Skip("off in Kubernetes 1.33, and hotseat does not ask for it")
	}
	require.NoError(s, err)
	s.Cleanup(w.Stop)
	s.expect(w, apiwatch.Added, lease)
	e := s.next(w)
	require.Equal(s, apiwatch.Bookmark, e.Type)
	mark := e.Object.(*coordv1.Lease)
	require.Equal(s, "true", mark.Annotations[metav1.InitialEventsAnnotationKey])
	require.Contains(s, []int{0, 1}, s.compare(mark.ResourceVersion, lease.ResourceVersion))

	o.ResourceVersionMatch = ""
	w, err = s.leases.Watch(s.ctx, o)
	if err == nil {
		w.Stop()
	}
	s.refused(err, 422, metav1.StatusReasonInvalid, "resourceVersionMatch")
}

func watchBookmarkAndTimeout(s *suite) {
	lease := s.created()
	o := from(lease.Name, lease.ResourceVersion)
	o.AllowWatchBookmarks = true
	o.TimeoutSeconds = new(int64(3))
	w := s.watch(o)
	updated := s.update(held(lease, "b"))
	s.expect(w, apiwatch.Modified, updated)
	e := s.next(w)
	require.Equal(s, apiwatch.Bookmark, e.Type, "%v", e.Object)
	require.Contains(s, []int{0, 1}, s.compare(e.Object.(*coordv1.Lease).ResourceVersion, updated.ResourceVersion))
	for open := true; open; { // more bookmarks may come before the end
		select {
		case e, open = <-w.ResultChan():
			require.True(s, !open || e.Type == apiwatch.Bookmark, "%v", e)
		case <-s.ctx.Done():
			require.FailNow(s, "the watch did not end at its timeout")
		}
	}
}

func watchExpired(s *suite) {
	compacter, ok := s.h.(Compacter)
	if !ok {
		s.Skip("this server cannot be made to forget")
	}
	lease := s.created()
	s.update(held(lease, "b"))
	compacter.Compact(s.T)
	w, err := s.leases.Watch(s.ctx, from(lease.Name, lease.ResourceVersion))
	if err == nil {
		defer w.Stop()
		e := s.next(w)
		require.Equal(s, apiwatch.Error, e.Type)
		err = apierrors.FromObject(e.Object)
	}
	status := s.refused(err, 410, metav1.StatusReasonExpired)
	require.True(s, strings.HasPrefix(status.Message, "too old resource version"), status.Message)
	require.True(s, apierrors.IsResourceExpired(err))
}
