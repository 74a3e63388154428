package apiserver_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

func TestOperatorActions(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		require.Nil(w, w.Lease(ns, "none"))
		require.True(w, apierrors.IsNotFound(w.EditLease(ns, "none", func(*coordv1.Lease) {})))
		_, err := w.CreateLease(w.Lease(ns, "seat"))
		require.Error(w, err, "its resourceVersion is set")
		_, err = w.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "seat"}})
		require.True(w, apierrors.IsAlreadyExists(err))

		before := w.Lease(ns, "seat")
		before.Spec.HolderIdentity = new("scribbled")
		require.Equal(w, "nobody", w.holder(), "what is handed out is a copy")

		watch := w.watch("a")
		require.NoError(w, w.EditLease(ns, "seat", func(l *coordv1.Lease) {
			l.ResourceVersion, l.UID = "1", "ignored"
			l.Spec.HolderIdentity = new("x")
		}))
		w.sees(watch, "x")
		after := w.Lease(ns, "seat")
		require.Equal(w, w.Revision(), after.ResourceVersion)
		require.Equal(w, before.UID, after.UID)

		require.True(w, w.DeleteLease(ns, "seat"))
		require.False(w, w.DeleteLease(ns, "seat"))
		e := <-watch.ResultChan()
		require.EqualValues(w, "DELETED", e.Type)
		require.Equal(w, w.Revision(), e.Object.(*coordv1.Lease).ResourceVersion)
	})
}

func TestEditLeaseMeetsAnotherWriter(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		runs := 0
		require.NoError(w, w.EditLease(ns, "seat", func(l *coordv1.Lease) {
			if runs++; runs == 1 {
				w.edit("another")
			}
			l.Labels = map[string]string{"a": "b"}
		}))
		require.Equal(w, 2, runs)
		require.Equal(w, "another", w.holder(), "no update is lost")
		require.Equal(w, "b", w.Lease(ns, "seat").Labels["a"])
	})
}

func TestOnWrite(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		var seen []apiserver.Write
		w.OnWrite(func(x apiserver.Write) {
			seen = append(seen, x)
			if _, after := x.Leases(); after != nil && *after.Spec.HolderIdentity == "a" {
				w.edit("operator") // from within: seen after this one
			}
		})
		require.NoError(w, w.take(w.patient(), "a"))
		require.NoError(w, w.leases("b").Delete(w.patient(), "seat", metav1.DeleteOptions{}))
		require.Len(w, seen, 3)

		before, after := seen[0].Leases()
		require.Equal(w, []string{"a", "update", "leases"}, []string{seen[0].User, seen[0].Verb, seen[0].Resource})
		require.Equal(w, "nobody", *before.Spec.HolderIdentity)
		require.Equal(w, "a", *after.Spec.HolderIdentity)
		require.Equal(w, after.ResourceVersion, strconv.FormatInt(seen[0].Revision, 10))
		require.Equal(w, time.Now(), seen[0].Time)

		before, after = seen[1].Leases()
		require.Equal(w, "a", *before.Spec.HolderIdentity)
		require.Equal(w, "operator", *after.Spec.HolderIdentity)
		require.Empty(w, seen[1].User+seen[1].Verb)

		before, after = seen[2].Leases()
		require.Equal(w, "operator", *before.Spec.HolderIdentity)
		require.Nil(w, after)
		require.Nil(w, seen[2].New)
		require.Equal(w, []string{"b", "delete"}, []string{seen[2].User, seen[2].Verb})
	})
}

func TestCompact(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		open := w.watch("a")
		old := w.Revision()
		w.edit("x")
		exact := metav1.ListOptions{ResourceVersion: old, ResourceVersionMatch: metav1.ResourceVersionMatchExact}
		list, err := w.leases("a").List(w.patient(), exact)
		require.NoError(w, err)
		require.Equal(w, "nobody", *list.Items[0].Spec.HolderIdentity, "as it was then")
		require.Equal(w, old, list.ResourceVersion)

		w.Compact()
		_, err = w.leases("a").List(w.patient(), exact)
		require.True(w, apierrors.IsResourceExpired(err), "%v", err)
		watch, err := w.leases("a").Watch(w.patient(), metav1.ListOptions{ResourceVersion: old})
		require.NoError(w, err, "told by an event, as kube-apiserver does")
		errs := w.ends(watch)
		require.Len(w, errs, 1)
		require.True(w, apierrors.IsResourceExpired(errs[0]))
		w.sees(open, "x")
		w.edit("y")
		w.sees(open, "y")
	})
}

func TestAWatchTooFarBehindExpires(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		old := w.Revision()
		watch := w.watch("a")
		w.Link("a").Freeze()
		for i := range 20_001 {
			w.edit(strconv.Itoa(i))
		}
		time.Sleep(time.Second)
		w.Link("a").Heal()
		var last error
		for e := range watch.ResultChan() { // first what it had read when the link froze
			last = nil
			if e.Type == "ERROR" {
				last = statusError(e.Object)
			}
		}
		require.True(w, apierrors.IsResourceExpired(last), "%v", last)
		_, err := w.leases("a").List(w.patient(), metav1.ListOptions{ResourceVersion: old, ResourceVersionMatch: metav1.ResourceVersionMatchExact})
		require.True(w, apierrors.IsResourceExpired(err), "%v", err)
	})
}

func TestRestore(t *testing.T) {
	t.Parallel()
	for _, bump := range []bool{false, true} {
		t.Run("bump="+strconv.FormatBool(bump), func(t *testing.T) {
			both(t, func(w *world) {
				backup := w.Snapshot()
				before := w.Lease(ns, "seat")
				watch := w.watch("a")
				require.NoError(w, w.take(w.patient(), "a"))
				w.sees(watch, "a")
				later := w.Revision()

				w.Restore(backup, bump)
				w.ends(watch)
				require.Equal(w, before, w.Lease(ns, "seat"))
				list, err := w.leases("a").List(w.patient(), metav1.ListOptions{})
				require.NoError(w, err)
				if bump {
					require.Greater(w, len(list.ResourceVersion), len(later), "far ahead")
					watch, err := w.leases("a").Watch(w.patient(), metav1.ListOptions{ResourceVersion: later})
					require.NoError(w, err)
					require.True(w, apierrors.IsResourceExpired(w.ends(watch)[0]))
				} else {
					require.Equal(w, before.ResourceVersion, list.ResourceVersion)
				}
				require.NoError(w, w.take(w.patient(), "b"))
				require.Equal(w, "b", w.holder())
				require.Equal(w, "nobody", *func() *coordv1.Lease {
					w.Restore(backup, false)
					return w.Lease(ns, "seat")
				}().Spec.HolderIdentity, "a backup can be used again")
			})
		})
	}
}

func TestBookmarks(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		began := time.Now()
		watch, err := w.leases("a").Watch(w.patient(), metav1.ListOptions{
			ResourceVersion: w.Revision(), AllowWatchBookmarks: true, TimeoutSeconds: new(int64(150)),
			FieldSelector: "metadata.name=another",
		})
		require.NoError(w, err)
		w.edit("x") // not selected, but bookmarks tell its version
		var at []time.Duration
		for e := range watch.ResultChan() {
			require.EqualValues(w, "BOOKMARK", e.Type)
			require.Equal(w, w.Revision(), e.Object.(*coordv1.Lease).ResourceVersion)
			at = append(at, time.Since(began))
		}
		require.Equal(w, []time.Duration{time.Minute, 2 * time.Minute, 148 * time.Second}, at)
		require.Equal(w, 150*time.Second, time.Since(began))
	})
}

func TestWatchTimesOutByItself(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		w.unit = time.Hour
		began := time.Now()
		w.ends(w.watch("a"))
		require.Equal(w, 30*time.Minute, time.Since(began))
	})
}

func TestWaitLease(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		began := time.Now()
		time.AfterFunc(time.Minute, func() { w.edit("x") })
		lease, ok := w.WaitLease(ns, "seat", time.Hour, holds("x"))
		require.True(w, ok)
		require.Equal(w, "x", *lease.Spec.HolderIdentity)
		require.Equal(w, time.Minute, time.Since(began))
		_, ok = w.WaitLease(ns, "seat", time.Hour, holds("y"))
		require.False(w, ok)
		require.Equal(w, 61*time.Minute, time.Since(began))
		w.Close()
		_, ok = w.WaitLease(ns, "seat", time.Hour, holds("y"))
		require.False(w, ok)
		require.Equal(w, 61*time.Minute, time.Since(began))
	})
}
