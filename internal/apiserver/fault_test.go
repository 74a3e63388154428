package apiserver_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

func TestDelayBefore(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.Link("a").Inject(apiserver.Fault{Verbs: []string{"update"}, DelayBefore: w.unit})
		began := time.Now()
		require.ErrorIs(w, w.take(w.within(w.unit/2), "a"), context.DeadlineExceeded)
		require.Equal(w, "nobody", w.holder())
		_, ok := w.WaitLease(ns, "seat", 5*w.unit, holds("a"))
		require.True(w, ok, "the write arrives although its client has given up")
		require.GreaterOrEqual(w, time.Since(began), w.unit)
	})
}

func TestDelayAfter(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.Link("a").Inject(apiserver.Fault{Verbs: []string{"update"}, DelayAfter: w.unit})
		var committed time.Time
		w.OnWrite(func(x apiserver.Write) { committed = x.Time })
		began := time.Now()
		require.NoError(w, w.take(w.patient(), "a"))
		require.GreaterOrEqual(w, time.Since(began), w.unit)
		require.Less(w, committed.Sub(began), w.unit)
	})
}

func TestLoseRequest(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.Link("a").Inject(apiserver.Fault{Verbs: []string{"update"}, LoseRequest: true})
		err := w.take(w.patient(), "a")
		require.True(w, utilnet.IsConnectionReset(err), "%v", err)
		require.Equal(w, "nobody", w.holder())
	})
}

func TestHangRequest(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.Link("a").Inject(apiserver.Fault{Verbs: []string{"update"}, HangRequest: true})
		require.ErrorIs(w, w.take(w.within(w.unit), "a"), context.DeadlineExceeded)
		require.Equal(w, "nobody", w.holder())
		require.Zero(w, w.CountRequests("a"))
	})
}

func TestLoseAnswer(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.Link("a").Inject(apiserver.Fault{Verbs: []string{"update"}, LoseAnswer: true})
		err := w.take(w.patient(), "a")
		require.True(w, utilnet.IsConnectionReset(err), "%v", err)
		require.Equal(w, "a", w.holder())
		require.Equal(w, 200, w.Requests()[0].Code)
	})
}

func TestHangAnswer(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.Link("a").Inject(apiserver.Fault{Verbs: []string{"update"}, HangAnswer: true})
		require.ErrorIs(w, w.take(w.within(w.unit), "a"), context.DeadlineExceeded)
		require.Equal(w, "a", w.holder())
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		for status, is := range map[int]func(error) bool{
			403: apierrors.IsForbidden,
			409: apierrors.IsConflict,
			410: apierrors.IsGone,
			429: apierrors.IsTooManyRequests,
			500: apierrors.IsInternalError,
			503: apierrors.IsServiceUnavailable,
			504: apierrors.IsTimeout,
		} {
			remove := w.Link("a").Inject(apiserver.Fault{Status: status})
			err := w.take(w.patient(), "a")
			require.True(w, is(err), "%d: %v", status, err)
			require.Equal(w, "nobody", w.holder())
			_, err = w.leases("a").Watch(w.patient(), metav1.ListOptions{})
			require.Error(w, err)
			remove()
		}
		require.NoError(w, w.take(w.patient(), "a"))
	})
}

func TestRetryAfter(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		w.Link("a").Inject(apiserver.Fault{Count: 1, Status: 429, RetryAfter: 6500 * time.Millisecond})
		began := time.Now()
		require.NoError(w, w.take(w.patient(), "a"), "client-go waits and retries")
		require.Equal(w, 7*time.Second, time.Since(began))
		require.Equal(w, []int{429, 200}, []int{w.Requests()[0].Code, w.Requests()[1].Code})
	})
}

func TestSkipAndCount(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		hits := 0
		remove := w.Link("a").Inject(apiserver.Fault{
			Verbs: []string{"update"}, Skip: 1, Count: 2, LoseRequest: true, Then: func() { hits++ },
		})
		_, err := w.leases("a").Get(w.patient(), "seat", metav1.GetOptions{})
		require.NoError(w, err, "another verb")
		require.NoError(w, w.take(w.patient(), "b"), "another client")
		var results []bool
		for range 5 {
			results = append(results, w.take(w.patient(), "a") == nil)
		}
		require.Equal(w, []bool{true, false, false, true, true}, results)
		require.Equal(w, 2, hits)
		remove()
		remove()

		first := w.Link("a").Inject(apiserver.Fault{Status: 500})
		w.Link("a").Inject(apiserver.Fault{Status: 503})
		require.True(w, apierrors.IsInternalError(w.take(w.patient(), "a")), "the first that matches")
		first()
		require.True(w, apierrors.IsServiceUnavailable(w.take(w.patient(), "a")))
	})
}

func TestFaultsOnWatch(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		start := func(ctx context.Context, f apiserver.Fault) error {
			f.Verbs = []string{"watch"}
			defer w.Link("a").Inject(f)()
			watch, err := w.leases("a").Watch(ctx, metav1.ListOptions{})
			if err == nil {
				w.Cleanup(watch.Stop)
				if e, open := <-watch.ResultChan(); open && e.Type == "ERROR" {
					err = statusError(e.Object)
				}
			}
			return err
		}
		require.NoError(w, start(w.patient(), apiserver.Fault{DelayAfter: w.unit / 5}))
		require.Error(w, start(w.within(w.unit/2), apiserver.Fault{DelayBefore: w.unit}))
		require.Error(w, start(w.within(w.unit/2), apiserver.Fault{HangAnswer: true}))
		require.Error(w, start(w.within(w.unit/2), apiserver.Fault{HangRequest: true}))
		require.True(w, apierrors.IsGone(start(w.patient(), apiserver.Fault{Status: 410})))
	})
}
