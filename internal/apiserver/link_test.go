package apiserver_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

func statusError(o runtime.Object) error { return apierrors.FromObject(o) }

func TestCut(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		watch := w.watch("a")
		w.Link("a").Cut()
		w.ends(watch)
		err := w.take(w.patient(), "a")
		if w.loopback {
			require.True(w, utilnet.IsConnectionReset(err), "%v", err)
		} else {
			require.True(w, utilnet.IsConnectionRefused(err), "%v", err)
		}
		require.Equal(w, "nobody", w.holder())
		require.NoError(w, w.take(w.patient(), "b"), "the link of b is another one")

		w.Link("a").Heal()
		require.NoError(w, w.take(w.patient(), "a"))
		require.Equal(w, "a", w.holder())
	})
}

func TestCutResetsRequestsUnderWay(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.Link("a").Inject(apiserver.Fault{DelayBefore: w.unit})
		cut := time.AfterFunc(w.unit/3, w.Link("a").Cut)
		defer cut.Stop()
		began := time.Now()
		err := w.take(w.patient(), "a")
		require.True(w, utilnet.IsConnectionReset(err), "%v", err)
		require.Less(w, time.Since(began), w.unit)
		_, ok := w.WaitLease(ns, "seat", 5*w.unit, holds("a"))
		require.True(w, ok, "what was on its way still arrives")
	})
}

func holds(holder string) func(*coordv1.Lease) bool {
	return func(l *coordv1.Lease) bool { return l != nil && *l.Spec.HolderIdentity == holder }
}

func TestBlackHole(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		watch := w.watch("a")
		w.edit("x")
		w.sees(watch, "x")
		w.Link("a").BlackHole()
		w.silent(watch)

		err := w.take(w.within(w.unit), "a")
		require.ErrorIs(w, err, context.DeadlineExceeded)
		require.Equal(w, "x", w.holder())
		require.Zero(w, w.CountRequests("a", "update"), "the server never saw it")

		w.Link("a").Heal()
		require.NoError(w, w.take(w.patient(), "a"))
		w.sees(watch, "a")
	})
}

func TestBlackHoleSilencesAWatchThatLostAnEvent(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		watch, other := w.watch("a"), w.watch("b")
		w.Link("a").BlackHole()
		w.edit("x")
		w.sees(other, "x")
		w.silent(watch)
		w.Link("a").Heal()
		w.edit("y")
		w.sees(other, "y")
		w.silent(watch) // a stream cannot skip x
		w.Link("a").EndWatches()
		w.silent(watch)
		require.NoError(w, w.take(w.patient(), "a"), "new requests work")
		w.sees(w.watch("a"), w.then("z"))
	})
}

// then edits the Lease soon and returns the holder.
func (w *world) then(holder string) string {
	time.AfterFunc(w.unit/10, func() { w.edit(holder) })
	return holder
}

func TestBlackHoleSwallowsAnswers(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.Link("a").Inject(apiserver.Fault{Verbs: []string{"update"}, Then: w.Link("a").BlackHole})
		require.ErrorIs(w, w.take(w.within(w.unit), "a"), context.DeadlineExceeded)
		require.Equal(w, "a", w.holder(), "the write was committed")
	})
}

func TestFreeze(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		watch := w.watch("a")
		l := w.Link("a")
		l.Freeze()
		w.edit("x")
		var order []string
		w.OnWrite(func(x apiserver.Write) {
			_, after := x.Leases()
			order = append(order, after.Labels["step"])
		})
		client := w.leases("a")
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				time.Sleep(w.unit / 3 * time.Duration(i))
				_, err := client.Patch(w.patient(), "seat", "application/merge-patch+json",
					[]byte(`{"metadata":{"labels":{"step":"`+string(rune('0'+i))+`"}}}`), metav1.PatchOptions{})
				assert.NoError(w, err)
			})
		}
		w.silent(watch)
		time.Sleep(w.unit)
		require.Equal(w, "x", w.holder())
		require.Empty(w, order)
		l.Heal()
		w.sees(watch, "x")
		wg.Wait()
		require.Equal(w, []string{"0", "1", "2", "3", "4"}, order)
	})
}

func TestFreezeDeliversLate(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.Link("a").Freeze()
		require.ErrorIs(w, w.take(w.within(w.unit/2), "a"), context.DeadlineExceeded)
		require.Equal(w, "nobody", w.holder())
		w.Link("a").Heal()
		_, ok := w.WaitLease(ns, "seat", 5*w.unit, holds("a"))
		require.True(w, ok, "the write arrives although its client has given up")
	})
}

func TestFreezeParksAnswers(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.Link("a").Inject(apiserver.Fault{Verbs: []string{"update"}, Count: 1, Then: w.Link("a").Freeze})
		heal := time.AfterFunc(w.unit, w.Link("a").Heal)
		defer heal.Stop()
		began := time.Now()
		require.NoError(w, w.take(w.patient(), "a"))
		require.GreaterOrEqual(w, time.Since(began), w.unit*9/10)
	})
}

func TestFreezeThenCutLosesWhatWasParked(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.Link("a").Freeze()
		cut := time.AfterFunc(w.unit/2, w.Link("a").Cut)
		defer cut.Stop()
		err := w.take(w.patient(), "a")
		require.True(w, utilnet.IsConnectionReset(err), "%v", err)
		w.Link("a").Heal()
		require.NoError(w, w.take(w.patient(), "b"))
		require.Equal(w, "b", w.holder())
		require.Zero(w, w.CountRequests("a", "update"))
	})
}

func TestEndWatches(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		watch, other := w.watch("a"), w.watch("b")
		w.Link("a").EndWatches()
		require.Empty(w, w.ends(watch))
		w.edit("x")
		w.sees(other, "x")
	})
}

func TestExpireWatches(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		watch := w.watch("a")
		w.Link("a").ExpireWatches()
		errs := w.ends(watch)
		require.Len(w, errs, 1)
		require.True(w, apierrors.IsResourceExpired(errs[0]), "%v", errs[0])
	})
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		watch := w.watch("a")
		w.Link("b").Inject(apiserver.Fault{DelayBefore: time.Hour})
		w.Link("c").Inject(apiserver.Fault{HangAnswer: true})
		w.Link("d").BlackHole()
		w.Link("e").Freeze()
		again := w.leases("a")
		var wg sync.WaitGroup
		for _, user := range []string{"b", "c", "d", "e"} {
			wg.Go(func() {
				err := w.take(w.patient(), user)
				assert.True(w, utilnet.IsConnectionReset(err), "%s: %v", user, err)
			})
		}
		time.Sleep(w.unit / 2)
		w.Close()
		wg.Wait()
		w.sees(watch, "c") // it was committed, only not answered
		w.ends(watch)
		_, err := again.Update(w.patient(), w.Lease(ns, "seat"), metav1.UpdateOptions{})
		require.True(w, utilnet.IsConnectionRefused(err), "%v", err)
		w.Close()
	})
}

func TestBodyEndsWithItsContext(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		ctx, cancel := context.WithCancel(context.Background())
		cfg := w.RESTConfig("a")
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, cfg.Host+"/apis/coordination.k8s.io/v1/leases?watch=true", nil)
		require.NoError(w, err)
		answer, err := cfg.Transport.RoundTrip(r)
		require.NoError(w, err)
		time.AfterFunc(w.unit, cancel)
		began := time.Now()
		body, err := io.ReadAll(answer.Body)
		require.ErrorIs(w, err, context.Canceled, "not a clean end")
		require.Contains(w, string(body), `"type":"ADDED"`)
		require.Equal(w, w.unit, time.Since(began))
	})
}

func TestWatchEndsWithItsClient(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		ctx, cancel := context.WithCancel(context.Background())
		watch, err := w.leases("a").Watch(ctx, metav1.ListOptions{})
		require.NoError(w, err)
		<-watch.ResultChan()
		cancel()
		w.ends(watch)
		watch, err = w.leases("a").Watch(context.Background(), metav1.ListOptions{})
		require.NoError(w, err)
		watch.Stop()
		for range watch.ResultChan() {
		}
	})
}
