//go:build unix

package e2e

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/kubefence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// TestKubefenceBehindACache: a guard whose client reads from a cache admits nothing by what that shows. The real server compares the
// version also of a write that changes nothing, and stores nothing then.
func TestKubefenceBehindACache(t *testing.T) {
	f := newFenced(t, sharedCluster(t))
	f.create("m")
	var shown atomic.Pointer[corev1.ConfigMap]
	stored := func() *corev1.ConfigMap {
		m, err := f.maps().Get(t.Context(), "m", metav1.GetOptions{})
		require.NoError(t, err)
		return m
	}
	shown.Store(stored())
	objects, err := kubefence.New(kubefence.Funcs[*corev1.ConfigMap]{
		GetFunc: func(context.Context, string) (*corev1.ConfigMap, error) { return shown.Load().DeepCopy(), nil },
		UpdateFunc: func(ctx context.Context, m *corev1.ConfigMap) error {
			got, err := f.maps().Update(ctx, m, metav1.UpdateOptions{})
			if err == nil {
				*m = *got
			}
			return err
		},
	}, kubefence.Config{Scope: guardtest.Scope, Tries: 4})
	require.NoError(t, err)
	guard, err := kubefence.NewGuard(objects.Object("m"))
	require.NoError(t, err)
	require.NoError(t, guard.Announce(t.Context(), first))
	shown.Store(stored())
	before := stored().ResourceVersion
	for range 3 {
		require.NoError(t, guard.Check(t.Context(), first))
		require.NoError(t, guard.Announce(t.Context(), first))
		mark, err := guard.Mark(t.Context(), guardtest.Scope)
		require.NoError(t, err)
		require.Equal(t, first, mark)
	}
	require.Equal(t, before, stored().ResourceVersion, "the proofs changed nothing")

	live, err := kubefence.NewGuard(f.objects().Object("m"))
	require.NoError(t, err)
	require.NoError(t, live.Announce(t.Context(), second)) // and the cache hangs
	_, err = guard.Mark(t.Context(), guardtest.Scope)
	for _, err := range []error{err, guard.Check(t.Context(), first), guard.Announce(t.Context(), first)} {
		require.ErrorIs(t, err, fencing.ErrUnavailable)
	}
	shown.Store(stored())
	stale(t, guard.Check(t.Context(), first))
	stale(t, guard.Announce(t.Context(), first))
	require.NoError(t, guard.Check(t.Context(), second))
}

// TestKubefenceWiring: what the real server says where the mark is not, or may not be used.
func TestKubefenceWiring(t *testing.T) {
	f := newFenced(t, sharedCluster(t))
	f.create("m")
	stranger, err := f.Account(t.Context(), f.namespace, "stranger")
	require.NoError(t, err)
	for name, objects := range map[string]kubefence.Object{
		"missing":   f.objects().Object("missing"),
		"forbidden": newObjects(t, kubefence.Client[*corev1.ConfigMap](clientOf(t, stranger).CoreV1().ConfigMaps(f.namespace))).Object("m"),
		"no kind":   newObjects(t, kubefence.Dynamic(dynamicOf(t, f.AdminConfig()).Resource(widgets).Namespace(f.namespace))).Object("m"),
	} {
		guard, err := kubefence.NewGuard(objects)
		require.NoError(t, err)
		err = guard.Announce(t.Context(), first)
		require.ErrorIs(t, err, fencing.ErrWiring, name)
		require.NotErrorIs(t, err, fencing.ErrUnavailable, name)
		t.Log(err)
	}
}

// TestKubefenceRecovery: the row of internal/docs/guards.md on the real server, by what kubectl would send.
func TestKubefenceRecovery(t *testing.T) {
	f := newFenced(t, sharedCluster(t))
	f.create("m")
	annotate := func(text any) func(testing.TB) {
		return func(t testing.TB) {
			_, err := f.maps().Patch(t.Context(), "m", types.MergePatchType, metadata(text), metav1.PatchOptions{})
			require.NoError(t, err)
		}
	}
	guardtest.Recovery{
		Guard: func(t testing.TB) fencing.Guard {
			guard, err := kubefence.NewGuard(f.objects().Object("m"))
			require.NoError(t, err)
			return guard
		},
		Lose: func(t testing.TB) {
			require.NoError(t, f.maps().Delete(t.Context(), "m", metav1.DeleteOptions{}))
			f.create("m")
		},
		Damage: annotate("seven"), Repair: annotate(nil),
	}.Run(t)
}
