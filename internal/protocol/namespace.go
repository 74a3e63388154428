package protocol

import (
	"context"
	"time"

	"github.com/hotseat-go/hotseat/lease"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Namespace looks at all Leases of a namespace at once, for a process that is a
// candidate for many of them. It needs the verbs list and watch without
// resourceNames. Like a [Lock] it waits for no request beyond its
// deadline.
//
// The records it makes have no managedFields. They are the larger part of a Lease, nobody here
// reads them, and an update without them leaves them as they are.
type Namespace struct {
	client   lease.Client
	clock    Clock
	underway *underway
}

// NewNamespace returns a Namespace that asks through client, which is one
// namespace's.
func NewNamespace(client lease.Client, clock Clock) Namespace {
	return Namespace{client: client, clock: clock, underway: &underway{}}
}

// Listing is one look at all Leases of a namespace.
type Listing struct {
	at     Observation // of a name that is missing
	leases map[string]*coordv1.Lease
}

// Of returns what the look says of one name: its Lease, or that there is none,
// as [Lock.List] would have.
func (l Listing) Of(name string) Observation {
	o := l.at
	if item, ok := l.leases[name]; ok {
		alone := *item // else one Lease would keep the whole list in memory
		alone.ManagedFields = nil
		o.Record = recordOf(&alone)
	}
	return o
}

// List looks at all Leases by one linearizable LIST, which has timeout to be
// answered. The error is a [*lease.RequestError].
func (n Namespace) List(ctx context.Context, timeout time.Duration) (Listing, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	asked := n.clock.Now()
	list, err := ask(ctx, n.underway, 0, func(ctx context.Context) (*coordv1.LeaseList, error) {
		return n.client.List(ctx, metav1.ListOptions{})
	})
	if err != nil {
		return Listing{}, requestError("list", err)
	}
	all := Listing{
		at:     Observation{Asked: asked, At: n.clock.Now(), ResourceVersion: list.ResourceVersion, Listed: true},
		leases: make(map[string]*coordv1.Lease, len(list.Items)),
	}
	for i := range list.Items {
		all.leases[list.Items[i].Name] = &list.Items[i]
	}
	return all, nil
}

// Watch delivers each change of any Lease after from, as [Lock.Watch] does for
// one; it has timeout to open.
func (n Namespace) Watch(ctx context.Context, from Listing, timeout time.Duration, deliver func(name string, o Observation)) error {
	w := watching{client: n.client, from: from.at.ResourceVersion, timeout: timeout}
	last := make(map[string]string, len(from.leases)) // the version of each that was shown
	for name, object := range from.leases {
		last[name] = object.ResourceVersion
	}
	return w.run(ctx, func(object *coordv1.Lease, deleted bool) {
		object.ManagedFields = nil
		after, known := last[object.Name]
		if !known {
			after = from.at.ResourceVersion
		}
		o := seen(n.clock, object, deleted, after)
		last[object.Name] = o.Version()
		deliver(object.Name, o)
	})
}
