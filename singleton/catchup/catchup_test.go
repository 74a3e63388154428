package catchup_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/catchup"
	"github.com/hotseat-go/hotseat/singleton/leaderlock"
)

// handover lets a count to 3 and hand over to b, whose cache is three seconds behind. Each b counts
// once at the start of its term.
func handover(t *testing.T, start func(b *replica, count singleton.Work)) (b *replica, took time.Duration) {
	c := shop(t)
	a := newReplica(t, c, "a")
	b = newReplica(t, c, "b")
	a.run(func(ctx context.Context, _ *singleton.Term) error {
		for range 3 {
			a.count(ctx)
			time.Sleep(100 * time.Millisecond) // its own cache sees it
		}
		<-ctx.Done()
		return nil
	})
	wait(time.Second)
	require.Equal(t, "3", b.counted())
	counted := make(chan time.Time, 2)
	start(b, func(ctx context.Context, _ *singleton.Term) error {
		b.count(ctx)
		counted <- time.Now()
		<-ctx.Done()
		return nil
	})
	wait(time.Second)

	c.Link("b-cache").Freeze()
	time.AfterFunc(3*time.Second, c.Link("b-cache").Heal)
	a.count(t.Context()) // the last write of its term
	stopped := time.Now()
	a.stop()
	wait(time.Minute)
	require.NotEmpty(t, counted, "its work was never called")
	return b, (<-counted).Sub(stopped)
}

// Without the wait, the new active counts from what it saw last, and an update is lost.
func TestWithoutCatchingUpAnUpdateIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, took := handover(t, func(b *replica, count singleton.Work) { b.run(count) })
		require.Equal(t, "4", b.counted(), "of five")
		require.Less(t, took, time.Second)
	})
}

func TestBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, took := handover(t, func(b *replica, count singleton.Work) { b.run(b.caches(0).Before(count)) })
		require.Equal(t, "5", b.counted())
		require.InDelta(t, 3*time.Second, took, float64(time.Second), "as soon as the cache has read it")
	})
}

// The hook does it where work cannot be wrapped.
func TestOnAcquire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := handover(t, func(b *replica, count singleton.Work) {
			var err error
			b.elector, err = singleton.New(b.client, singleton.Config{
				Namespace: "shop", Name: "invoicer", Replica: singleton.ReplicaConfig{Identity: "b"},
				Hooks: singleton.Hooks{OnAcquire: b.caches(0).OnAcquire},
			})
			require.NoError(t, err)
			b.run(count)
		})
		require.Equal(t, "5", b.counted())
	})
}

// Behind leaderlock, client-go learns of the term only once the caches have caught up.
func TestBehindLeaderlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, took := handover(t, func(b *replica, count singleton.Work) {
			lock, err := leaderlock.New(b.client, singleton.Config{
				Namespace: "shop", Name: "invoicer", Logger: slog.New(slog.DiscardHandler),
				Hooks: singleton.Hooks{OnAcquire: b.caches(0).OnAcquire},
			})
			require.NoError(t, err)
			b.background(func(ctx context.Context) {
				_ = lock.RunElector(ctx, leaderelection.LeaderElectionConfig{
					LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
					Callbacks: leaderelection.LeaderCallbacks{
						OnStartedLeading: func(ctx context.Context) { _ = count(ctx, nil) }, OnStoppedLeading: func() {},
					},
				})
			})
		})
		require.Equal(t, "5", b.counted())
		require.InDelta(t, 3*time.Second, took, float64(time.Second))
	})
}

// A cache that does not catch up costs the replica its term, so that another one can have it. The
// term's work never sees that cache.
func TestTermWithoutItsCaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, took := handover(t, func(b *replica, count singleton.Work) { b.run(b.caches(time.Second).Before(count)) })
		require.Equal(t, "5", b.counted())
		require.Greater(t, took, 4*time.Second, "it resigned, stood back, and had another term")
	})
}

// The error names the kinds that are behind, and how far.
func TestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := shop(t)
		b := newReplica(t, c, "b")
		admin := c.Client("admin").Leases("shop")
		_, err := admin.Create(t.Context(), &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "old"}}, metav1.CreateOptions{})
		require.NoError(t, err)
		wait(time.Second)
		c.Link("b-cache").Freeze()
		_, err = admin.Create(t.Context(), &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "new"}}, metav1.CreateOptions{})
		require.NoError(t, err)
		require.NoError(t, admin.Delete(t.Context(), "old", metav1.DeleteOptions{}))
		b.count(t.Context())

		began := time.Now()
		err = b.caches(4 * time.Second).Wait(t.Context())
		require.Equal(t, 4*time.Second, time.Since(began))
		require.ErrorIs(t, err, catchup.ErrBehind)
		behind, _ := errors.AsType[*catchup.BehindError](err)
		require.Len(t, behind.Kinds, 1)
		lag := behind.Kinds[0]
		require.Equal(t, []int{1, 1, 1}, []int{lag.Missing, lag.Older, lag.Deleted})
		require.ErrorContains(t, err, "catchup: caches are behind the API server after 4s: leases:"+
			" 1 objects missing, 1 older, 1 deleted ones left, among them shop/")

		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("why"))
		require.EqualError(t, b.caches(0).Wait(ctx), "why")

		c.Link("b-cache").Heal()
		require.NoError(t, b.caches(0).Wait(t.Context()))
	})
}

// A listed object that is deleted before the cache is looked at is not waited for.
func TestObjectDeletedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := shop(t)
		b := newReplica(t, c, "b")
		lists := 0
		caches := fake(t, func() (*metav1.PartialObjectMetadataList, error) {
			list, err := lister{b.api}.List(t.Context(), metav1.ListOptions{})
			if lists++; lists == 1 {
				require.NoError(t, b.api.Delete(t.Context(), "counter", metav1.DeleteOptions{}))
				synctest.Wait() // the cache knows
			}
			return list, err
		}, catchup.Informer(b.cache))
		require.NoError(t, caches.Wait(t.Context()))
		require.Equal(t, 2, lists)
	})
}

// pages is a server that lists one object at a time, unasked.
type pages []string

func (p pages) List(_ context.Context, o metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
	at, _ := strconv.Atoi(o.Continue)
	list := &metav1.PartialObjectMetadataList{Items: []metav1.PartialObjectMetadata{
		{ObjectMeta: metav1.ObjectMeta{Name: p[at], ResourceVersion: "5"}},
	}}
	list.ResourceVersion = "9"
	if at+1 < len(p) {
		list.Continue = strconv.Itoa(at + 1)
	}
	return list, nil
}

// What is on later pages is waited for, and is not taken for deleted.
func TestListInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cached := catchup.Versions{}
		for _, name := range []string{"a", "b"} {
			cached[types.NamespacedName{Name: name}] = "5"
		}
		caches, err := catchup.New(catchup.Config{Timeout: time.Second, Kinds: []catchup.Kind{{
			Name: "things", API: pages{"a", "b", "c"},
			Cached: func(context.Context) (catchup.Versions, error) { return cached, nil },
		}}})
		require.NoError(t, err)
		behind, _ := errors.AsType[*catchup.BehindError](caches.Wait(t.Context()))
		require.NotNil(t, behind)
		require.Equal(t, catchup.Lag{Name: "things", Missing: 1, Example: "/c"}, behind.Kinds[0])
		cached[types.NamespacedName{Name: "c"}] = "5"
		require.NoError(t, caches.Wait(t.Context()))
	})
}

// What the API server refuses is told; a failure that passes is waited out.
func TestListFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := shop(t)
		b := newReplica(t, c, "b")
		c.Forbid("b", "list")
		err := b.caches(time.Second).Wait(t.Context())
		require.ErrorIs(t, err, catchup.ErrBehind)
		require.ErrorContains(t, err, "leases: listing: ")
		require.True(t, apierrors.IsForbidden(err))
		time.AfterFunc(time.Second, func() { c.Allow("b", "list") })
		require.NoError(t, b.caches(0).Wait(t.Context()))
	})
}

func TestCacheThatHasNotSynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := shop(t)
		b := newReplica(t, c, "b")
		synced := false
		cached := func(ctx context.Context) (catchup.Versions, error) {
			if !synced {
				return nil, errors.New("not synced")
			}
			return catchup.Informer(b.cache)(ctx)
		}
		caches := fake(t, func() (*metav1.PartialObjectMetadataList, error) {
			return lister{b.api}.List(t.Context(), metav1.ListOptions{})
		}, cached)
		require.ErrorContains(t, caches.Wait(t.Context()), "leases: not synced")
		synced = true
		require.NoError(t, caches.Wait(t.Context()))
	})
}

// An informer that has read nothing yet is not an empty cache, even if there is nothing to read.
func TestInformerThatNobodyStarted(t *testing.T) {
	informer := cache.NewSharedIndexInformer(&cache.ListWatch{}, &coordv1.Lease{}, 0, nil)
	_, err := catchup.Informer(informer)(t.Context())
	require.EqualError(t, err, "the cache has not synced yet")
}

// Versions are numbers of any length. What is no number is refused at once.
func TestVersions(t *testing.T) {
	key := types.NamespacedName{Namespace: "shop", Name: "x"}
	for _, tt := range []struct {
		list, listed, cached string // "-": no such object
		err                  error
	}{
		{list: "10", listed: "9", cached: "9"},
		{list: "10", listed: "9", cached: "10"},
		{list: "10", listed: "9", cached: "8", err: catchup.ErrBehind},
		{list: "10", listed: "10", cached: "9", err: catchup.ErrBehind},
		{list: "100000000000000000000000001", listed: "100000000000000000000000001", cached: "100000000000000000000000000", err: catchup.ErrBehind},
		{list: "10", listed: "-", cached: "11"},
		{list: "10", listed: "-", cached: "10", err: catchup.ErrBehind},
		{list: "10", listed: "-", cached: "9", err: catchup.ErrBehind},
		{list: "10", listed: "-", cached: "-"},
		{list: "10", listed: "9", cached: "-", err: catchup.ErrBehind},
		{list: "10", listed: "9", cached: "", err: catchup.ErrVersions},
		{list: "10", listed: "a9", cached: "9", err: catchup.ErrVersions},
		{list: "10", listed: "9", cached: "09", err: catchup.ErrVersions},
		{list: "", listed: "-", cached: "9", err: catchup.ErrVersions},
	} {
		synctest.Test(t, func(t *testing.T) {
			caches := fake(t, func() (*metav1.PartialObjectMetadataList, error) {
				list := &metav1.PartialObjectMetadataList{ListMeta: metav1.ListMeta{ResourceVersion: tt.list}}
				if tt.listed != "-" {
					list.Items = []metav1.PartialObjectMetadata{{ObjectMeta: metav1.ObjectMeta{
						Namespace: "shop", Name: "x", ResourceVersion: tt.listed,
					}}}
				}
				return list, nil
			}, func(context.Context) (catchup.Versions, error) {
				if tt.cached == "-" {
					return catchup.Versions{}, nil
				}
				return catchup.Versions{key: tt.cached}, nil
			})
			err := caches.Wait(t.Context())
			if tt.err == nil {
				require.NoError(t, err, tt)
			} else {
				require.ErrorIs(t, err, tt.err, tt)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	_, err := catchup.New(catchup.Config{Timeout: -1})
	require.ErrorContains(t, err, "Config.Kinds is empty, must name a kind")
	require.ErrorContains(t, err, "Config.Timeout is -1ns, must not be negative")
	_, err = catchup.New(catchup.Config{Kinds: []catchup.Kind{{}}})
	for _, field := range []string{"Name", "API", "Cached"} {
		require.ErrorContains(t, err, "Config.Kinds[0]."+field+" is not set, must be")
	}
}

func TestVersionsOf(t *testing.T) {
	versions, err := catchup.VersionsOf(&coordv1.LeaseList{Items: []coordv1.Lease{
		{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "x", ResourceVersion: "7"}},
	}})
	require.NoError(t, err)
	require.Equal(t, catchup.Versions{{Namespace: "shop", Name: "x"}: "7"}, versions)
	_, err = catchup.VersionsOf(&coordv1.Lease{})
	require.Error(t, err)
}

func fake(
	t *testing.T, list func() (*metav1.PartialObjectMetadataList, error),
	cached func(context.Context) (catchup.Versions, error),
) *catchup.Caches {
	caches, err := catchup.New(catchup.Config{Kinds: []catchup.Kind{{Name: "leases", API: listFunc(list), Cached: cached}}})
	require.NoError(t, err)
	return caches
}

type listFunc func() (*metav1.PartialObjectMetadataList, error)

func (f listFunc) List(context.Context, metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
	return f()
}

// The list is of what the cache has: with the cache's own selectors, and never an older one.
func TestSelectors(t *testing.T) {
	var asked metav1.ListOptions
	caches, err := catchup.New(catchup.Config{Kinds: []catchup.Kind{{
		Name: "leases", LabelSelector: "a=b", FieldSelector: "metadata.name=x",
		API: listOptions(func(o metav1.ListOptions) { asked = o }),
		Cached: func(context.Context) (catchup.Versions, error) {
			return catchup.Versions{}, nil
		},
	}}})
	require.NoError(t, err)
	require.NoError(t, caches.Wait(t.Context()))
	require.Equal(t, metav1.ListOptions{LabelSelector: "a=b", FieldSelector: "metadata.name=x"}, asked)
}

type listOptions func(metav1.ListOptions)

func (f listOptions) List(_ context.Context, o metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
	f(o)
	return &metav1.PartialObjectMetadataList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}}, nil
}
