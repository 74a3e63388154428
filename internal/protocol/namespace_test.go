package protocol_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

func TestNamespaceSeesWhatALockSees(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		all := protocol.NewNamespace(b.c.Client("all").Leases(ns), protocol.Clock{})
		b.ship()
		_, err := b.c.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "elsewhere", Name: "other"}})
		require.NoError(b, err)
		listing, err := all.List(b.Context(), time.Second)
		require.NoError(b, err)
		same := func(want, have protocol.Observation) {
			b.Helper()
			require.Equal(b, want.Record, have.Record)
			require.Equal(b, want.ResourceVersion, have.ResourceVersion)
			require.Equal(b, want.Listed, have.Listed)
			require.Equal(b, want.After, have.After)
			require.Zero(b, want.Asked.Sub(have.Asked))
			require.Zero(b, want.At.Sub(have.At))
		}
		same(b.list(b.a), listing.Of(name))
		none := listing.Of("other")
		require.False(b, none.Record.Exists(), "it is in another namespace")
		require.True(b, none.Listed)
		require.Equal(b, b.c.Revision(), none.ResourceVersion)

		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		seen := map[string][]protocol.Observation{}
		go func() {
			ended <- all.Watch(ctx, listing, time.Second, func(name string, o protocol.Observation) { seen[name] = append(seen[name], o) })
		}()
		one, stop := watching(b, listing.Of(name))
		claim := b.acquire(b.b)
		time.Sleep(time.Second)
		require.NoError(b, b.b.Release(b.Context(), claim))
		_, err = b.c.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "other"}})
		require.NoError(b, err)
		b.c.DeleteLease(ns, name)
		synctest.Wait()
		cancel()
		require.Error(b, <-ended)
		require.Error(b, stop())
		require.Len(b, *one, 3)
		require.Len(b, seen[name], 3)
		for i, want := range *one {
			same(want, seen[name][i])
		}
		require.Len(b, seen["other"], 1)
		require.Equal(b, none.ResourceVersion, seen["other"][0].After, "the listing showed that there was none")
		require.Len(b, seen, 2)
	})
}

func TestNamespaceErrorsNameTheirVerb(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		all := protocol.NewNamespace(b.c.Client("all").Leases(ns), protocol.Clock{})
		listing, err := all.List(b.Context(), time.Second)
		require.NoError(b, err)
		b.c.Link("all").Inject(apiserver.Fault{Status: http.StatusForbidden})
		_, err = all.List(b.Context(), time.Second)
		require.ErrorIs(b, err, lease.ErrForbidden)
		require.ErrorContains(b, err, "list lease")
		err = all.Watch(b.Context(), listing, time.Second, nil)
		require.ErrorIs(b, err, lease.ErrForbidden)
		require.ErrorContains(b, err, "watch lease")
	})
}

// Rule R1: nor does a Namespace wait for what does not end.
func TestNamespaceLeavesRequestsBehind(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		free := make(chan struct{})
		close(free)
		stopped := 0
		all := protocol.NewNamespace(stuck{b.c.Client("all").Leases(ns), &free, &stopped}, protocol.Clock{})
		listing, err := all.List(b.Context(), time.Second)
		require.NoError(b, err)
		free = make(chan struct{})
		began := time.Now()
		_, err = all.List(b.Context(), time.Second)
		require.ErrorIs(b, err, lease.ErrUnavailable)
		require.Equal(b, time.Second, time.Since(began))
		require.ErrorIs(b, all.Watch(b.Context(), listing, time.Second, nil), protocol.ErrUnopened)
		require.Equal(b, 2*time.Second, time.Since(began))
		close(free)
		synctest.Wait()
		require.Equal(b, 1, stopped)
	})
}
