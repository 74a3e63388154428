package apiserver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

// renew patches the duration if nobody holds the Lease but its first holder.
func (w *world) renew(ctx context.Context, user string, seconds int32) error {
	leases, err := w.reach(user)
	if err != nil {
		return err
	}
	_, err = leases.Patch(ctx, "seat", types.JSONPatchType, fmt.Appendf(nil,
		`[{"op":"test","path":"/spec/holderIdentity","value":"nobody"},{"op":"add","path":"/spec/leaseDurationSeconds","value":%d}]`, seconds,
	), metav1.PatchOptions{})
	return err
}

func lasts(seconds int32) func(*coordv1.Lease) bool {
	return func(l *coordv1.Lease) bool {
		return l.Spec.LeaseDurationSeconds != nil && *l.Spec.LeaseDurationSeconds == seconds
	}
}

func TestFaultsOnPatch(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault  apiserver.Fault
		is     func(error) bool
		stored bool
	}{
		"DelayAfter":   {apiserver.Fault{DelayAfter: time.Second}, isDeadline, true},
		"LoseRequest":  {apiserver.Fault{LoseRequest: true}, utilnet.IsConnectionReset, false},
		"HangRequest":  {apiserver.Fault{HangRequest: true}, isDeadline, false},
		"LoseAnswer":   {apiserver.Fault{LoseAnswer: true}, utilnet.IsConnectionReset, true},
		"HangAnswer":   {apiserver.Fault{HangAnswer: true}, isDeadline, true},
		"Status":       {apiserver.Fault{Status: 422}, apierrors.IsInvalid, false},
		"StatusOfGate": {apiserver.Fault{Status: http.StatusUnsupportedMediaType}, apierrors.IsUnsupportedMediaType, false},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(w *world) {
				test.fault.Verbs = []string{"patch"}
				defer w.Link("a").Inject(test.fault)()
				err := w.renew(w.within(time.Second/2), "a", 7)
				require.True(w, test.is(err), "%v", err)
				require.Equal(w, test.stored, lasts(7)(w.Lease(ns, "seat")))
				_, err = w.leases("a").Get(w.patient(), "seat", metav1.GetOptions{})
				require.NoError(w, err, "another verb")
			})
		})
	}
}

func isDeadline(err error) bool { return errors.Is(err, context.DeadlineExceeded) }

// TestPatchesInFlight: each request of a client meets its own delay, and is
// served when that ends, before one sent earlier that takes longer.
func TestPatchesInFlight(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		link := w.Link("a")
		for _, f := range []apiserver.Fault{
			{DelayBefore: 6 * w.unit}, {DelayBefore: 3 * w.unit}, {DelayAfter: 6 * w.unit}, {},
		} {
			f.Verbs, f.Count = []string{"patch"}, 1
			link.Inject(f)
		}
		var served, answered []int32
		w.OnWrite(func(x apiserver.Write) {
			_, after := x.Leases()
			served = append(served, *after.Spec.LeaseDurationSeconds)
		})
		answers := make(chan int32)
		for i := range int32(4) {
			go func() {
				if err := w.renew(w.patient(), "a", i+1); err == nil {
					answers <- i + 1
				}
			}()
			time.Sleep(w.unit / 2)
		}
		for range 4 {
			select {
			case i := <-answers:
				answered = append(answered, i)
			case <-time.After(20 * w.unit):
				require.FailNow(w, "an answer is missing")
			}
		}
		require.Equal(w, []int32{3, 4, 2, 1}, served)
		require.Equal(w, []int32{4, 2, 1, 3}, answered)
		require.Equal(w, 4, w.CountRequests("a", "patch"))
		require.Zero(w, w.CountRequests("a", "get", "update"))
	})
}

// TestALatePatchMeetsWhatIsThereThen: not what was there when it was sent.
func TestALatePatchMeetsWhatIsThereThen(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		w.Link("a").Inject(apiserver.Fault{Verbs: []string{"patch"}, DelayBefore: w.unit})
		time.AfterFunc(w.unit/2, func() { w.edit("b") })
		err := w.renew(w.patient(), "a", 7)
		require.True(w, apierrors.IsInvalid(err), "%v", err)
		require.False(w, lasts(7)(w.Lease(ns, "seat")))
	})
}
