package kubefence_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	typed "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/kubefence"
	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/guardtest"
	"github.com/hotseat-go/hotseat/internal/whole"
)

const namespace = "shop"

// register is a register in an object. The in-process API server has no kind but
// Leases, so that is what it is; its value is the holder.
type register struct {
	*apiserver.Cluster
	apart bool // the mark is an object of its own, the register one that announcements stamp too
	lossy bool
}

func (r register) Client(t testing.TB) guardtest.Client {
	name := fmt.Sprint("client-", rand.Uint32())
	if r.lossy {
		for _, f := range []apiserver.Fault{
			{Skip: rand.IntN(9), Count: 3, LoseAnswer: true},
			{Verbs: []string{"update"}, Skip: 5 + rand.IntN(9), Count: 2, LoseRequest: true},
			{Verbs: []string{"update"}, Skip: 9 + rand.IntN(9), Count: 2, HangAnswer: true},
			{Verbs: []string{"update"}, Skip: 12 + rand.IntN(9), Count: 3, DelayBefore: 60 * time.Millisecond},
			{Verbs: []string{"update"}, Skip: 20 + rand.IntN(9), Count: 2, Status: 504},
		} {
			r.Link(name).Inject(f)
		}
	}
	config := r.RESTConfig(name)
	kubefence.SendOnce(config)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	leases := client.CoordinationV1().Leases(namespace)
	objects, err := kubefence.New(leases, kubefence.Config{Scope: guardtest.Scope, RequestTimeout: r.timeout()})
	require.NoError(t, err)
	marks := []kubefence.Object{objects.Object("register")}
	if r.apart {
		marks = []kubefence.Object{objects.Object("mark"), objects.Object("register")}
	}
	guard, err := kubefence.NewGuard(marks[0], marks[1:]...)
	require.NoError(t, err)
	return registerClient{guard, objects, leases, r.apart}
}

func (r register) timeout() time.Duration {
	if r.lossy {
		return 50 * time.Millisecond
	}
	return 0
}

type registerClient struct {
	*kubefence.Guard
	objects *kubefence.Objects[*coordv1.Lease]
	leases  typed.LeaseInterface
	apart   bool
}

func (c registerClient) Write(ctx context.Context, t fencing.Token, value string, between func()) error {
	if c.apart {
		if err := c.Check(ctx, t); err != nil {
			return err
		}
	}
	_, err := c.objects.Update(ctx, t, "register", func(l *coordv1.Lease) error {
		between()
		l.Spec.HolderIdentity = &value
		return nil
	})
	return err
}

func (c registerClient) Read(ctx context.Context) (string, error) {
	l, err := c.leases.Get(ctx, "register", metav1.GetOptions{})
	if err != nil || l.Spec.HolderIdentity == nil {
		return "", err
	}
	return *l.Spec.HolderIdentity, nil
}

func suite(r register) guardtest.Suite {
	return guardtest.Suite{
		New: func(t testing.TB) guardtest.Subject {
			r := r
			r.Cluster = apiserver.New(apiserver.Options{})
			t.Cleanup(r.Close)
			for _, name := range []string{"mark", "register"} {
				_, err := r.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}})
				require.NoError(t, err)
			}
			return r
		},
		Damage: func(t testing.TB, s guardtest.Subject, text string) {
			name := "register"
			if r.apart {
				name = "mark"
			}
			require.NoError(t, s.(register).EditLease(namespace, name, func(l *coordv1.Lease) {
				l.Annotations[kubefence.Annotation] = guardtest.Scope + "@" + text + "." + guardtest.Token(5, 0).Term
			}))
		},
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]register{"the object itself": {}, "a mark and announced objects": {apart: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("Conformance", suite(r).Conformance)
			t.Run("Hammer", func(t *testing.T) { suite(r).Hammer(t, whole.Lasts(time.Second, 300*time.Millisecond)) })
			r.lossy = true
			t.Run("Linearizable", func(t *testing.T) {
				suite(r).Linearizable(t, guardtest.Load{Rounds: int(whole.Share(2, 1)), Calls: 25, Timeout: time.Second})
			})
		})
	}
}
