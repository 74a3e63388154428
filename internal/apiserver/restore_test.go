package apiserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

// listed is the holder that a LIST shows, and the LIST's version.
func (w *world) listed() (holder, version string) {
	w.Helper()
	list, err := w.leases("a").List(w.patient(), metav1.ListOptions{FieldSelector: "metadata.name=seat"})
	require.NoError(w, err)
	require.Len(w, list.Items, 1)
	return *list.Items[0].Spec.HolderIdentity, list.ResourceVersion
}

func (w *world) shows(holder, version string) {
	w.Helper()
	h, v := w.listed()
	require.Equal(w, []string{holder, version}, []string{h, v})
}

// TestRestoreUnderCache: what leasetest.CacheAhead does not ask.
func TestRestoreUnderCache(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		backup := w.Snapshot()
		old := w.Revision()
		watch := w.watch("a")
		w.edit("x")
		w.edit("y")
		ahead := w.Revision()
		w.sees(watch, "x")
		w.sees(watch, "y")
		var writes []apiserver.Write
		w.OnWrite(func(x apiserver.Write) { writes = append(writes, x) })

		w.RestoreUnderCache(backup)
		require.Equal(w, old, w.Revision())
		require.Equal(w, "nobody", w.holder())
		w.shows("y", ahead)
		w.edit("lost too")
		w.RestoreUnderCache(backup) // again: the cache stays where it was
		require.Equal(w, "nobody", w.holder())
		w.shows("y", ahead)
		replay, err := w.leases("a").Watch(w.patient(), metav1.ListOptions{ResourceVersion: old})
		require.NoError(w, err)
		defer replay.Stop()
		w.sees(replay, "x")
		w.sees(replay, "y")

		require.NoError(w, w.take(w.patient(), "a"))
		require.NoError(w, w.take(w.patient(), "b"))
		require.Equal(w, ahead, w.Revision())
		w.shows("y", ahead)
		w.silent(watch)
		require.NoError(w, w.take(w.patient(), "c"), "an update that names the version that is stored")
		w.sees(watch, "c")
		w.sees(replay, "c")
		w.shows("c", w.Revision())
		require.Len(w, writes, 4, "a restore is no write")

		w.edit("d")
		ahead = w.Revision()
		w.RestoreUnderCache(backup)
		w.shows("d", ahead)
		w.Restore(backup, false)
		w.shows("nobody", old)
	})
}

// What came before the backup is known again, but for one that was marked compacted.
func TestRestoredHistory(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		old := w.Revision()
		w.edit("x")
		backup := w.Snapshot()
		w.edit("y")
		at := func() (*coordv1.LeaseList, error) {
			return w.leases("a").List(w.patient(), metav1.ListOptions{
				FieldSelector: "metadata.name=seat", ResourceVersion: old, ResourceVersionMatch: metav1.ResourceVersionMatchExact,
			})
		}
		for _, restore := range []func(){func() { w.Restore(backup, false) }, func() { w.RestoreUnderCache(backup) }} {
			restore()
			list, err := at()
			require.NoError(w, err)
			require.Equal(w, "nobody", *list.Items[0].Spec.HolderIdentity)
		}
		w.Restore(backup, true)
		_, err := at()
		require.True(w, apierrors.IsResourceExpired(err))
	})
}

func TestRestoreUnderCacheThatIsBehind(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		before := w.Snapshot()
		w.edit("x")
		after := w.Snapshot()
		w.Restore(before, false)
		w.RestoreUnderCache(after)
		w.shows("x", w.Revision())
		require.Equal(w, "x", w.holder())
	})
}

func TestForgettingACacheThatIsAhead(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		backup, old := w.Snapshot(), w.Revision()
		w.edit("x")
		w.RestoreUnderCache(backup)
		w.Compact()
		watch, err := w.leases("a").Watch(w.patient(), metav1.ListOptions{ResourceVersion: old})
		require.NoError(w, err)
		require.Len(w, w.ends(watch), 1)
		w.DeleteLease(ns, "seat")
		w.shows("x", w.Revision())
		_, err = w.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "seat"}, Spec: coordv1.LeaseSpec{HolderIdentity: new("again")}})
		require.NoError(w, err)
		w.shows("again", w.Revision())
	})
}
