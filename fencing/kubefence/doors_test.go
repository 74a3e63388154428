package kubefence_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/kubefence"
	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// Whatever mutate does to the metadata, the write is of what was read, and carries the token.
func TestMutateCannotUnpin(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		require.NoError(t, c.increment(one))
		_, err := c.objects.Update(t.Context(), two, "counter", func(l *coordv1.Lease) error {
			l.ObjectMeta = metav1.ObjectMeta{Namespace: namespace, Name: "counter", Annotations: map[string]string{"count": "9", kubefence.Annotation: "none"}}
			return nil
		})
		require.NoError(t, err)
		c.holds("9", two)
	})
}

// A write that names no version would be of whatever is stored by then.
func TestUnpinnable(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*coordv1.Lease){
		"UID":             func(l *coordv1.Lease) { l.UID = "" },
		"resourceVersion": func(l *coordv1.Lease) { l.ResourceVersion = "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			count(t, func(t *testing.T, c counter) {
				leases := c.cluster.Client("a").Leases(namespace)
				objects, err := kubefence.New(kubefence.Funcs[*coordv1.Lease]{
					GetFunc: func(ctx context.Context, name string) (*coordv1.Lease, error) {
						l, err := leases.Get(ctx, name, metav1.GetOptions{})
						spoil(l)
						c.mark(two)()
						return l, err
					},
					UpdateFunc: func(ctx context.Context, l *coordv1.Lease) error {
						_, err := leases.Update(ctx, l, metav1.UpdateOptions{})
						return err
					},
				}, kubefence.Config{Scope: guardtest.Scope})
				require.NoError(t, err)
				_, err = objects.Update(t.Context(), one, "counter", increment)
				require.ErrorIs(t, err, fencing.ErrUnavailable)
				require.ErrorContains(t, err, "without UID or resourceVersion")
				c.holds("", two)
			})
		})
	}
}

// An update of what was deleted meanwhile does not create it: without a UID a Lease would be there again, with an old mark.
func TestUpdateDoesNotCreate(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		_, err := c.objects.Update(t.Context(), one, "counter", func(*coordv1.Lease) error {
			c.cluster.DeleteLease(namespace, "counter")
			return nil
		})
		require.Error(t, err)
		require.Nil(t, c.cluster.Lease(namespace, "counter"))
	})
}

func TestCreate(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		fresh := func(name string) *coordv1.Lease { return &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}} }
		l, err := c.objects.Create(t.Context(), one, fresh("new"))
		require.NoError(t, err)
		mark, err := kubefence.MarkOf(l)
		require.NoError(t, err)
		require.Equal(t, one, mark)

		_, err = c.objects.Create(t.Context(), two, fresh("new"))
		require.True(t, apierrors.IsAlreadyExists(err), "%v", err)
		_, err = c.objects.Create(t.Context(), guardtest.Token(1, 1), fresh("new"))
		require.ErrorIs(t, err, fencing.ErrConflict)
		_, err = c.objects.Create(t.Context(), fencing.Token{}, fresh("other"))
		require.ErrorIs(t, err, fencing.ErrMissing)

		unnamed := &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{GenerateName: "new-"}}
		_, err = c.objects.Create(t.Context(), two, unnamed)
		require.ErrorContains(t, err, "no name", "sent again it would be two")

		c.link.Inject(apiserver.Fault{Verbs: []string{"create"}, Count: 1, LoseRequest: true})
		_, err = c.objects.Create(t.Context(), one, fresh("request-lost"))
		require.NoError(t, err)
		c.link.Inject(apiserver.Fault{Verbs: []string{"create"}, Count: 1, LoseAnswer: true})
		_, err = c.objects.Create(t.Context(), one, fresh("answer-lost"))
		require.ErrorIs(t, err, kubefence.ErrUnknown)
		require.NotNil(t, c.cluster.Lease(namespace, "answer-lost"))
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		remove := func() error { return c.objects.Delete(t.Context(), one, "counter", metav1.DeleteOptions{}) }
		edits := 0
		c.link.Inject(apiserver.Fault{Verbs: []string{"delete"}, Count: 1, Status: 409, Then: func() { edits++ }})
		require.NoError(t, remove())
		require.Equal(t, 1, edits)
		require.Nil(t, c.cluster.Lease(namespace, "counter"))
		require.True(t, apierrors.IsNotFound(remove()))

		_, err := c.cluster.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "counter"}})
		require.NoError(t, err)
		c.link.Inject(apiserver.Fault{Verbs: []string{"delete"}, Count: 1, LoseAnswer: true})
		require.ErrorIs(t, remove(), kubefence.ErrUnknown)

		// What outlives its deletion has the mark of who deleted it.
		_, err = c.cluster.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "counter", Finalizers: []string{"example.com/last"}}})
		require.NoError(t, err)
		require.NoError(t, c.increment(one))
		require.NoError(t, c.objects.Delete(t.Context(), two, "counter", metav1.DeleteOptions{}))
		require.ErrorIs(t, c.increment(one), fencing.ErrStale)
		c.holds("1", two)
	})
}

// client-go by itself sends an update again after a 5xx that asks for it.
func TestSendOnce(t *testing.T) {
	t.Parallel()
	for _, once := range []bool{false, true} {
		count(t, func(t *testing.T, c counter) {
			config := c.cluster.RESTConfig("a")
			if once {
				kubefence.SendOnce(config)
			}
			client, err := kubernetes.NewForConfig(config)
			require.NoError(t, err)
			c.link.Inject(update(apiserver.Fault{Status: 500, RetryAfter: time.Second}))
			l := c.cluster.Lease(namespace, "counter")
			_, err = client.CoordinationV1().Leases(namespace).Update(t.Context(), l, metav1.UpdateOptions{})
			require.Equal(t, once, err != nil, "%v", err)
		})
	}
}
