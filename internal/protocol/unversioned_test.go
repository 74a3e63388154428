package protocol_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// Rule F2: client-go's fake clientset is named at once, not tried for ever.
func TestFakeClientset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shipped := &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
		b := &bed{T: t}
		l := protocol.NewLock(fake.NewClientset(shipped).CoordinationV1().Leases(ns), b.options("a"))
		for what, look := range map[string]func(context.Context) (protocol.Observation, error){"list": l.List, "get": l.Get, "confirm": l.Confirm} {
			_, err := look(t.Context())
			require.ErrorIs(t, err, lease.ErrUnversioned, what)
			require.ErrorContains(t, err, "singletontest", what)
		}
	})
}

// without is a server that leaves something out of what it reads.
type without struct {
	coordclient.LeaseInterface
	lease func(*coordv1.Lease)
	list  func(*coordv1.LeaseList)
}

func (w without) Get(ctx context.Context, name string, o metav1.GetOptions) (*coordv1.Lease, error) {
	l, err := w.LeaseInterface.Get(ctx, name, o)
	if err == nil {
		w.lease(l)
	}
	return l, err
}

func (w without) List(ctx context.Context, o metav1.ListOptions) (*coordv1.LeaseList, error) {
	list, err := w.LeaseInterface.List(ctx, o)
	if err == nil {
		w.list(list)
		for i := range list.Items {
			w.lease(&list.Items[i])
		}
	}
	return list, err
}

func TestUnversioned(t *testing.T) {
	noLease, noList := func(*coordv1.Lease) {}, func(*coordv1.LeaseList) {}
	for name, test := range map[string]struct {
		without
		listOnly bool
	}{
		"no uid":                       {without{lease: func(l *coordv1.Lease) { l.UID = "" }, list: noList}, false},
		"no version":                   {without{lease: func(l *coordv1.Lease) { l.ResourceVersion = "" }, list: noList}, false},
		"no version of a list":         {without{lease: noLease, list: func(l *coordv1.LeaseList) { l.ResourceVersion = "" }}, true},
		"nor a Lease in it":            {without{lease: noLease, list: func(l *coordv1.LeaseList) { l.ResourceVersion, l.Items = "", nil }}, true},
		"nothing is missing, nor told": {without{lease: noLease, list: noList}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				w := test.without
				w.LeaseInterface = b.c.Client("a").Leases(ns)
				l := protocol.NewLock(w, b.options("a"))
				for what, look := range map[string]func(context.Context) (protocol.Observation, error){"list": l.List, "get": l.Get, "confirm": l.Confirm} {
					_, err := look(b.Context())
					if name == "nothing is missing, nor told" || test.listOnly && what == "get" {
						require.NoError(b, err)
						continue
					}
					require.ErrorIs(b, err, lease.ErrUnversioned, what)
				}
			})
		})
	}
}

// frozen is a server that writes and gives no new version.
type frozen struct{ without }

func (f frozen) Update(ctx context.Context, l *coordv1.Lease, o metav1.UpdateOptions) (*coordv1.Lease, error) {
	l = l.DeepCopy()
	now, err := f.LeaseInterface.Get(ctx, l.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	l.ResourceVersion = now.ResourceVersion
	stored, err := f.LeaseInterface.Update(ctx, l, o)
	if err == nil {
		stored.ResourceVersion = "7"
	}
	return stored, err
}

func TestVersionsThatDoNotChange(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		b.c.Forbid("a", "patch")
		server := frozen{without{
			b.c.Client("a").Leases(ns),
			func(l *coordv1.Lease) { l.ResourceVersion = "7" }, func(*coordv1.LeaseList) {},
		}}
		got, err := b.take(protocol.NewLock(server, b.options("a")))
		require.ErrorIs(b, err, lease.ErrUnversioned)
		require.True(b, got.Sent.IsZero())
	})
}
