package kubefence_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/kubefence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
	"github.com/hotseat-go/hotseat/lease"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		leases := c.cluster.Client("a").Leases(namespace)
		_, err := kubefence.New(leases, kubefence.Config{})
		require.ErrorIs(t, err, fencing.ErrMalformed)
		_, err = kubefence.New(leases, kubefence.Config{Scope: guardtest.Scope, Tries: -1})
		require.ErrorContains(t, err, "Tries is -1")
		_, err = kubefence.New(leases, kubefence.Config{Scope: guardtest.Scope, RequestTimeout: -time.Second})
		require.ErrorContains(t, err, "RequestTimeout is -1s")

		other, err := kubefence.New(leases, kubefence.Config{Scope: "shop/other"})
		require.NoError(t, err)
		_, err = kubefence.NewGuard(c.objects.Object("counter"), other.Object("counter"))
		require.ErrorIs(t, err, fencing.ErrScope)
		_, err = kubefence.NewGuard(nil)
		require.Error(t, err)
	})
}

// An object that another Lease's term writes is not ours to write, nor to announce on.
func TestForeignMark(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		foreign := fencing.Token{Scope: "shop/other", Epoch: 1, Term: two.Term}
		c.mark(foreign)()
		guard, err := kubefence.NewGuard(c.objects.Object("counter"))
		require.NoError(t, err)
		_, err = guard.Mark(t.Context(), guardtest.Scope)
		for _, err := range []error{err, c.increment(two), guard.Announce(t.Context(), two), guard.Check(t.Context(), two)} {
			require.ErrorIs(t, err, fencing.ErrUnavailable)
			require.ErrorIs(t, err, fencing.ErrScope)
		}
		_, err = guard.Mark(t.Context(), foreign.Scope)
		require.ErrorIs(t, err, fencing.ErrScope)
		c.holds("", foreign)
	})
}

// The guard takes a missing object for a mark that got lost, or was never shipped.
func TestGuardOnMissingObjects(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		for _, objects := range [][]kubefence.Object{
			{c.objects.Object("missing"), c.objects.Object("counter")},
			{c.objects.Object("counter"), c.objects.Object("missing")},
		} {
			guard, err := kubefence.NewGuard(objects[0], objects[1:]...)
			require.NoError(t, err)
			for _, err := range []error{guard.Announce(t.Context(), one), guard.Check(t.Context(), one)} {
				require.ErrorIs(t, err, fencing.ErrWiring)
				require.NotErrorIs(t, err, fencing.ErrUnavailable)
				require.True(t, apierrors.IsNotFound(err))
				require.ErrorContains(t, err, `fencing: guard miswired: the mark on "missing" of shop/invoicer: `)
			}
		}
	})
}

// Check knows that an announcement which failed halfway is not done.
func TestCheckFinishesTheAnnouncement(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		mark, err := c.cluster.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "mark"}})
		require.NoError(t, err)
		guard, err := kubefence.NewGuard(c.objects.Object(mark.Name), c.objects.Object("counter"))
		require.NoError(t, err)
		require.True(t, c.cluster.DeleteLease(namespace, "counter"))
		require.ErrorIs(t, guard.Announce(t.Context(), one), fencing.ErrWiring)
		_, err = c.cluster.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "counter"}})
		require.NoError(t, err)
		require.NoError(t, guard.Check(t.Context(), one))
		c.holds("", one)
	})
}

func TestRefusalsAreReported(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		var reports []error
		ctx := fencing.WithReporter(t.Context(), func(err error) { reports = append(reports, err) })
		c.mark(two)()
		guard, err := kubefence.NewGuard(c.objects.Object("counter"))
		require.NoError(t, err)
		_, err = c.objects.Update(ctx, one, "counter", increment)
		require.Equal(t, []error{err}, reports)
		err = guard.Check(ctx, one)
		require.Equal(t, err, reports[1])
		_, err = c.objects.Create(ctx, one, &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "counter"}})
		require.Equal(t, err, reports[2])
		require.Len(t, reports, 3)
	})
}

// What is allowed to write without a token changes no mark, and can repair one.
func TestUnfenced(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		allowed := fencing.AllowUnfenced(t.Context(), "test")
		c.mark(two)()
		guard, err := kubefence.NewGuard(c.objects.Object("counter"))
		require.NoError(t, err)
		_, err = c.objects.Update(allowed, fencing.Token{}, "counter", increment)
		require.NoError(t, err)
		require.NoError(t, guard.Check(allowed, fencing.Token{}))
		require.ErrorIs(t, guard.Announce(allowed, fencing.Token{}), fencing.ErrMissing)
		_, err = c.objects.Update(allowed, one, "counter", increment)
		require.ErrorIs(t, err, fencing.ErrStale)
		c.holds("1", two)
		_, err = c.objects.Update(allowed, fencing.Token{}, "counter", func(l *coordv1.Lease) error {
			l.Annotations = map[string]string{"count": "1"}
			return nil
		})
		require.NoError(t, err)
		c.holds("1", two)

		require.NoError(t, c.cluster.EditLease(namespace, "counter", func(l *coordv1.Lease) { l.Annotations[kubefence.Annotation] = "damaged" }))
		require.ErrorIs(t, c.increment(two), fencing.ErrUnavailable)
		_, err = c.objects.Update(allowed, fencing.Token{}, "counter", func(l *coordv1.Lease) error {
			l.Annotations[kubefence.Annotation] = two.String()
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, c.increment(two))
		c.holds("2", two)
	})
}

// All kinds of client write alike.
func TestOtherClients(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		client, err := dynamic.NewForConfig(c.cluster.RESTConfig("dynamic"))
		require.NoError(t, err)
		resource := client.Resource(coordv1.SchemeGroupVersion.WithResource("leases")).Namespace(namespace)
		untyped, err := kubefence.New(kubefence.Dynamic(resource), kubefence.Config{Scope: guardtest.Scope})
		require.NoError(t, err)
		_, err = untyped.Update(t.Context(), one, "counter", func(u *unstructured.Unstructured) error {
			return unstructured.SetNestedField(u.Object, "1", "metadata", "annotations", "count")
		})
		require.NoError(t, err)
		u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": "untyped"}}}
		_, err = untyped.Create(t.Context(), one, u)
		require.NoError(t, err)
		require.NoError(t, untyped.Delete(t.Context(), one, "untyped", metav1.DeleteOptions{}))

		leases := c.cluster.Client("funcs").Leases(namespace)
		funcs, err := kubefence.New(kubefence.Funcs[*coordv1.Lease]{
			GetFunc: func(ctx context.Context, name string) (*coordv1.Lease, error) {
				return leases.Get(ctx, name, metav1.GetOptions{})
			},
			UpdateFunc: func(ctx context.Context, l *coordv1.Lease) error {
				stored, err := leases.Update(ctx, l, metav1.UpdateOptions{})
				if err == nil {
					stored.DeepCopyInto(l)
				}
				return err
			},
			DeleteFunc: func(ctx context.Context, name string, p metav1.Preconditions) error {
				return leases.Delete(ctx, name, metav1.DeleteOptions{Preconditions: &p})
			},
		}, kubefence.Config{Scope: guardtest.Scope})
		require.NoError(t, err)
		l, err := funcs.Update(t.Context(), two, "counter", increment)
		require.NoError(t, err)
		require.Equal(t, c.cluster.Lease(namespace, "counter").ResourceVersion, l.ResourceVersion)
		c.holds("2", two)
		_, err = untyped.Update(t.Context(), one, "counter", func(*unstructured.Unstructured) error { return nil })
		require.ErrorIs(t, err, fencing.ErrStale)
		require.NoError(t, funcs.Delete(t.Context(), two, "counter", metav1.DeleteOptions{}))
		_, err = funcs.Create(t.Context(), two, l)
		require.ErrorContains(t, err, "no CreateFunc")
	})
}

func TestApplyRefusesWhatItCannotMean(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		for _, config := range []any{
			func() {}, []string{"x"}, map[string]any{"metadata": map[string]any{"name": "other"}},
			map[string]any{"metadata": map[string]any{"name": "counter", "annotations": map[string]any{kubefence.Annotation: two.String()}}},
		} {
			_, err := c.objects.Apply(t.Context(), one, "counter", config, metav1.ApplyOptions{FieldManager: "test"})
			require.ErrorContains(t, err, "apply configuration")
		}
		c.holds("", fencing.Token{})
	})
}

// The annotation stands beside the elector's own on a Lease, though a guard knows nothing of those.
func TestAnnotationIsOfTheElectorsDomain(t *testing.T) {
	t.Parallel()
	require.Equal(t, lease.Domain+"fencing-token", kubefence.Annotation)
}

// A mark is one token's text or it is nothing.
func FuzzMarkOf(f *testing.F) {
	for _, s := range []string{"", "none", one.String(), " " + one.String(), "s@01." + one.Term, "s@9223372036854775808." + one.Term, "s@-1." + one.Term} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := &coordv1.Lease{}
		l.Annotations = map[string]string{kubefence.Annotation: text}
		mark, err := kubefence.MarkOf(l)
		if err != nil {
			require.ErrorIs(t, err, fencing.ErrUnavailable)
			require.Zero(t, mark)
			return
		}
		require.NoError(t, mark.Validate())
		require.Equal(t, text, mark.String())
	})
}
