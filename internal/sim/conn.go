package sim

import (
	"context"
	"errors"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/lease"
)

// errUnused: a candidate called what the simulator does not simulate.
var errUnused = errors.New("sim: this request is not simulated")

// client is a process's client of the API server. Only what electors use of it
// is there; anything else panics on the nil interface.
type client struct {
	kubernetes.Interface
	process *process
}

func (c client) CoordinationV1() coordclient.CoordinationV1Interface {
	return coordination{process: c.process}
}

type coordination struct {
	coordclient.CoordinationV1Interface
	process *process
}

func (c coordination) Leases(string) coordclient.LeaseInterface { return conn{process: c.process} }

// conn makes a process's requests on Leases.
type conn struct {
	coordclient.LeaseInterface
	process *process
}

// peerTimeout is what components that use client-go's elector set as their
// client's timeout; hotseat brings its own deadlines.
const peerTimeout = 5 * time.Second

func (c conn) call(ctx context.Context, m *message) (answer, error) {
	if c.process.node.Elector != Hotseat {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, peerTimeout)
		defer cancel()
	}
	return c.process.call(ctx, m)
}

func (c conn) one(ctx context.Context, m *message) (*coordv1.Lease, error) {
	if m.lease != nil {
		m.lease = c.process.outward(m.lease)
	}
	a, err := c.call(ctx, m)
	if err != nil {
		return nil, err
	}
	return c.process.inward(a.object.(*coordv1.Lease)), nil
}

func (c conn) Get(ctx context.Context, _ string, _ metav1.GetOptions) (*coordv1.Lease, error) {
	return c.one(ctx, &message{verb: "get"})
}

func (c conn) Create(ctx context.Context, l *coordv1.Lease, _ metav1.CreateOptions) (*coordv1.Lease, error) {
	return c.one(ctx, &message{verb: "create", query: query{lease: l}})
}

func (c conn) Update(ctx context.Context, l *coordv1.Lease, _ metav1.UpdateOptions) (*coordv1.Lease, error) {
	return c.one(ctx, &message{verb: "update", query: query{lease: l}})
}

func (c conn) List(ctx context.Context, o metav1.ListOptions) (*coordv1.LeaseList, error) {
	if !selects(o.FieldSelector) {
		return nil, errUnused
	}
	a, err := c.call(ctx, &message{verb: "list", query: query{selector: o.FieldSelector}})
	if err != nil {
		return nil, err
	}
	list := a.object.(*coordv1.LeaseList)
	for i := range list.Items {
		list.Items[i] = *c.process.inward(&list.Items[i])
	}
	return list, nil
}

func (c conn) Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	if !selects(o.FieldSelector) {
		return nil, errUnused
	}
	m := &message{verb: "watch", query: query{selector: o.FieldSelector, version: o.ResourceVersion}}
	if o.TimeoutSeconds != nil {
		m.timeout = time.Duration(*o.TimeoutSeconds) * time.Second
	}
	a, err := c.call(ctx, m)
	return a.watch, err
}

// selects reports whether a field selector is for the one Lease there is, or for
// all of the namespace, which is the same.
func selects(selector string) bool { return selector == "" || selector == "metadata.name="+leaseName }

// A bubble has one clock. A node's own one, which runs at another rate or shows
// another time of day, is a change of units at its wire, the same in both
// directions: what the process computes from what it reads and from its clock is
// what it would on such a machine.

// inward is a Lease as the process reads it; it may keep it.
func (p *process) inward(l *coordv1.Lease) *coordv1.Lease {
	if !p.node.Fast && p.node.Skew == 0 {
		return l.DeepCopy()
	}
	l = shifted(l, -p.node.Skew)
	if d := l.Spec.LeaseDurationSeconds; d != nil && p.node.Fast {
		full, fast := int32(p.world.plan.Timing.LeaseDuration/time.Second), int32(p.world.plan.FastLease/time.Second)
		*d = (*d*fast + full - 1) / full // never shorter than it is
	}
	return l
}

// outward is a Lease as the process's wire carries it.
func (p *process) outward(l *coordv1.Lease) *coordv1.Lease {
	if !p.node.Fast && p.node.Skew == 0 {
		return l.DeepCopy()
	}
	l = shifted(l, p.node.Skew)
	if d := l.Spec.LeaseDurationSeconds; d != nil && p.node.Fast && time.Duration(*d)*time.Second == p.world.plan.FastLease {
		*d = int32(p.world.plan.Timing.LeaseDuration / time.Second)
	}
	return l
}

// shifted is a copy with its wall-clock times moved.
func shifted(l *coordv1.Lease, by time.Duration) *coordv1.Lease {
	l = l.DeepCopy()
	move := func(t *metav1.MicroTime) {
		if t != nil {
			t.Time = t.Add(by)
		}
	}
	move(l.Spec.AcquireTime)
	move(l.Spec.RenewTime)
	if t, err := time.Parse(metav1.RFC3339Micro, l.Annotations[lease.AnnotationReleased]); err == nil {
		l.Annotations[lease.AnnotationReleased] = t.Add(by).UTC().Format(metav1.RFC3339Micro)
	}
	return l
}
