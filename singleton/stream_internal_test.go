package singleton

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/lease"
)

// asked is a client that takes down how long the first List may take.
type (
	asked struct {
		kubernetes.Interface
		first chan time.Duration
	}
	askedGroup struct {
		coordclient.CoordinationV1Interface
		*asked
	}
	askedLeases struct {
		coordclient.LeaseInterface
		*asked
	}
)

func (a *asked) CoordinationV1() coordclient.CoordinationV1Interface { return askedGroup{asked: a} }

func (a askedGroup) Leases(string) coordclient.LeaseInterface { return askedLeases{asked: a.asked} }

func (a askedGroup) RESTClient() rest.Interface { return nil }

func (a askedLeases) List(ctx context.Context, _ metav1.ListOptions) (*coordv1.LeaseList, error) {
	deadline, _ := ctx.Deadline()
	select {
	case a.first <- time.Until(deadline):
	default:
	}
	return nil, errors.New("not now")
}

// The first look of a shared watch has its first subscriber's time, however the two
// are scheduled.
func TestFirstLookOfASharedWatchHasTime(t *testing.T) {
	timing := lease.Timing{LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second}
	for range 5000 {
		client := &asked{first: make(chan time.Duration, 1)}
		w := NewSharedWatch(client, "shop", slog.New(slog.DiscardHandler))
		s := w.subscribe(t.Context(), &lease.Lock{Options: lease.Options{Name: "invoicer", Timing: timing}})
		first := <-client.first
		w.unsubscribe(s)
		require.Greater(t, first, timing.RequestTimeout()/2)
	}
}
