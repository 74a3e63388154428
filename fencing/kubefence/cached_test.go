package kubefence_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/kubefence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// cache is a reader that shows what was there when it was last refreshed.
type cache struct{ shown atomic.Pointer[coordv1.Lease] }

// cachedGuard is a guard over the counter, whose Client reads from a cache. Update fills what it is given, if updates are let through.
func (c counter) cachedGuard(t *testing.T, cached *cache, before func() error) *kubefence.Guard {
	leases := c.cluster.Client("cached").Leases(namespace)
	objects, err := kubefence.New(kubefence.Funcs[*coordv1.Lease]{
		GetFunc: func(context.Context, string) (*coordv1.Lease, error) { return cached.shown.Load().DeepCopy(), nil },
		UpdateFunc: func(ctx context.Context, l *coordv1.Lease) error {
			if err := before(); err != nil {
				return err
			}
			stored, err := leases.Update(ctx, l, metav1.UpdateOptions{})
			if err == nil {
				*l = *stored
			}
			return err
		},
	}, kubefence.Config{Scope: guardtest.Scope, Tries: 3})
	require.NoError(t, err)
	guard, err := kubefence.NewGuard(objects.Object("counter"))
	require.NoError(t, err)
	return guard
}

func (c counter) refresh(cached *cache) { cached.shown.Store(c.cluster.Lease(namespace, "counter")) }

// A guard whose client reads from a cache admits nothing by what the cache shows: the cache may hang behind a newer term.
func TestGuardDoesNotBelieveACache(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		cached := &cache{}
		c.refresh(cached)
		guard := c.cachedGuard(t, cached, func() error { return nil })
		require.NoError(t, guard.Announce(t.Context(), one))
		c.refresh(cached)
		require.NoError(t, guard.Check(t.Context(), one))
		c.refresh(cached)
		c.mark(two)() // and the cache hangs
		for range 2 {
			for name, err := range map[string]error{
				"Check":    guard.Check(t.Context(), one),
				"Announce": guard.Announce(t.Context(), one),
				"Mark":     second(guard.Mark(t.Context(), guardtest.Scope)),
			} {
				require.ErrorIs(t, err, fencing.ErrUnavailable, name)
			}
		}
		c.refresh(cached)
		require.ErrorIs(t, guard.Check(t.Context(), one), fencing.ErrStale)
		require.ErrorIs(t, guard.Announce(t.Context(), one), fencing.ErrStale)
		mark, err := guard.Mark(t.Context(), guardtest.Scope)
		require.NoError(t, err)
		require.Equal(t, two, mark)
		c.holds("", two)
	})
}

func second[T any](_ T, err error) error { return err }

// A retry that finds the mark raised does not take what it reads for what is stored.
func TestRetriedAnnouncementIsWritten(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		cached, down := &cache{}, errors.New("the API server is gone")
		c.mark(one)()
		c.refresh(cached)
		fails := true
		guard := c.cachedGuard(t, cached, func() error {
			if fails {
				return down
			}
			return nil
		})
		err := guard.Announce(t.Context(), one)
		require.ErrorIs(t, err, fencing.ErrUnavailable)
		require.ErrorIs(t, err, down)
		fails = false
		require.NoError(t, guard.Announce(t.Context(), one))
	})
}

// Rights that are missing are wiring; what admission refuses may be another matter tomorrow.
func TestGuardWithoutRights(t *testing.T) {
	t.Parallel()
	forbidden := func(why string) error {
		return apierrors.NewForbidden(schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}, "counter", errors.New(why))
	}
	for name, tt := range map[string]struct {
		get, update error
		wiring      bool
	}{
		"get":       {forbidden(`User "x" cannot get resource "leases" in API group "coordination.k8s.io" in the namespace "shop"`), nil, true},
		"update":    {nil, forbidden(`User "x" cannot update resource "leases" in API group "coordination.k8s.io" in the namespace "shop"`), true},
		"admission": {nil, forbidden("ValidatingAdmissionPolicy 'p' with binding 'p' denied request: no"), false},
		"webhook":   {nil, forbidden("admission webhook \"w\" denied the request: no"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects, err := kubefence.New(kubefence.Funcs[*coordv1.Lease]{
				GetFunc: func(_ context.Context, name string) (*coordv1.Lease, error) {
					return &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name, UID: "u", ResourceVersion: "1"}}, tt.get
				},
				UpdateFunc: func(context.Context, *coordv1.Lease) error { return tt.update },
			}, kubefence.Config{Scope: guardtest.Scope, RequestTimeout: time.Second})
			require.NoError(t, err)
			guard, err := kubefence.NewGuard(objects.Object("counter"))
			require.NoError(t, err)
			for _, err := range []error{guard.Announce(t.Context(), one), guard.Check(t.Context(), one), second(guard.Mark(t.Context(), guardtest.Scope))} {
				require.Equal(t, tt.wiring, errors.Is(err, fencing.ErrWiring), "%v", err)
				require.Equal(t, !tt.wiring, errors.Is(err, fencing.ErrUnavailable), "%v", err)
				require.True(t, apierrors.IsForbidden(err))
			}
		})
	}
	objects, err := kubefence.New(kubefence.Funcs[*coordv1.Lease]{}, kubefence.Config{Scope: guardtest.Scope})
	require.NoError(t, err)
	guard, err := kubefence.NewGuard(objects.Object("counter"))
	require.NoError(t, err)
	err = guard.Announce(t.Context(), one)
	require.ErrorIs(t, err, fencing.ErrWiring)
	require.ErrorContains(t, err, "this Client has no GetFunc")
}
