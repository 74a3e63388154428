package protocol_test

import (
	"context"
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

// watching runs a Watch and collects what it delivers.
func watching(b *bed, from protocol.Observation) (seen *[]protocol.Observation, stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	seen = &[]protocol.Observation{}
	done := make(chan error, 1)
	go func() {
		done <- b.a.Watch(ctx, from, func(o protocol.Observation) { *seen = append(*seen, o) })
	}()
	synctest.Wait()
	return seen, func() error { cancel(); return <-done }
}

func TestWatchDeliversEachChange(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		from := b.list(b.a)
		seen, stop := watching(b, from)
		claim := b.acquire(b.b)
		time.Sleep(time.Second)
		require.NoError(b, b.b.Release(b.Context(), claim))
		b.c.DeleteLease(ns, name)
		other := &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "other"}}
		_, err := b.c.CreateLease(other)
		require.NoError(b, err)
		synctest.Wait()
		require.Error(b, stop())

		require.Len(b, *seen, 3)
		require.Equal(b, "b", (*seen)[0].Record.Holder())
		require.True(b, (*seen)[1].Record.Released())
		require.False(b, (*seen)[2].Record.Exists())
		require.True(b, protocol.Newer((*seen)[2].ResourceVersion, (*seen)[1].ResourceVersion), "a deletion has a version of its own")
		require.Equal(b, time.Second, (*seen)[1].At.Sub((*seen)[0].At))
		after := from.Version()
		for _, o := range *seen {
			require.False(b, o.Listed)
			require.Equal(b, after, o.After, "what it showed last")
			after = o.Version()
		}
	})
}

func TestWatchEnds(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(b *bed)
		want error // nil: list and watch again
	}{
		"by the server":   {func(b *bed) { b.c.Link("a").EndWatches() }, nil},
		"too old":         {func(b *bed) { b.c.Link("a").ExpireWatches() }, lease.ErrConflict},
		"connection lost": {func(b *bed) { b.c.Link("a").Cut() }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				done := make(chan error, 1)
				from := b.list(b.a)
				go func() { done <- b.a.Watch(b.Context(), from, func(protocol.Observation) {}) }()
				synctest.Wait()
				test.end(b)
				if err := <-done; test.want != nil {
					require.ErrorIs(b, err, test.want)
				} else if err != nil {
					require.ErrorIs(b, err, lease.ErrUnavailable)
				}
			})
		})
	}
	t.Run("compacted", func(t *testing.T) {
		inBed(t, apiserver.Options{}, func(b *bed) {
			b.ship()
			from := b.list(b.a)
			b.acquire(b.b)
			b.c.Compact()
			require.ErrorIs(b, b.a.Watch(b.Context(), from, nil), lease.ErrConflict)
		})
	})
	t.Run("in due time", func(t *testing.T) {
		inBed(t, apiserver.Options{}, func(b *bed) {
			b.ship()
			began := time.Now()
			require.NoError(b, b.a.Watch(b.Context(), b.list(b.a), func(protocol.Observation) {}))
			require.GreaterOrEqual(b, time.Since(began), 5*time.Minute)
			require.LessOrEqual(b, time.Since(began), 10*time.Minute)
		})
	})
}
