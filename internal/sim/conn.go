package sim

import (
	"context"
	"errors"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
)

// errUnused: a candidate called what the simulator does not simulate.
var errUnused = errors.New("sim: this request is not simulated")

// errRehearsed answers a dry run, which tests for a UID that no Lease has. It is answered at once and
// draws nothing from the seed, so that a rehearsal changes no schedule.
var errRehearsed = apierrors.NewConflict(coordv1.Resource("leases"), "seat", errors.New("a dry run"))

// client is a process's client of the API server.
type client struct{ process *process }

func (c client) Leases(string) coordclient.LeaseInterface { return conn{process: c.process} }

// conn makes a process's requests on Leases.
type conn struct {
	coordclient.LeaseInterface
	process *process
}

// one makes a request that is answered with a Lease.
func (c conn) one(ctx context.Context, m *message) (*coordv1.Lease, error) {
	a, err := c.process.ask(ctx, m)
	if err != nil {
		return nil, err
	}
	return a.object.(*coordv1.Lease), nil
}

func (c conn) Get(ctx context.Context, _ string, _ metav1.GetOptions) (*coordv1.Lease, error) {
	return c.one(ctx, &message{verb: "get"})
}

func (c conn) Create(ctx context.Context, l *coordv1.Lease, _ metav1.CreateOptions) (*coordv1.Lease, error) {
	return c.one(ctx, &message{verb: "create", query: query{lease: l}})
}

func (c conn) Update(ctx context.Context, l *coordv1.Lease, o metav1.UpdateOptions) (*coordv1.Lease, error) {
	if l.Name == "" {
		return nil, errors.New("resource name may not be empty") // client-go's
	}
	if len(o.DryRun) > 0 {
		return nil, errRehearsed
	}
	return c.one(ctx, &message{verb: "update", query: query{lease: l}})
}

func (c conn) Patch(ctx context.Context, _ string, kind types.PatchType, data []byte, o metav1.PatchOptions, _ ...string) (*coordv1.Lease, error) {
	if kind != types.JSONPatchType {
		return nil, errUnused
	}
	if len(o.DryRun) > 0 {
		return nil, errRehearsed
	}
	return c.one(ctx, &message{verb: "patch", query: query{patch: data}})
}

func (c conn) List(ctx context.Context, o metav1.ListOptions) (*coordv1.LeaseList, error) {
	if !selects(o.FieldSelector) || o.ResourceVersion != "" && o.ResourceVersionMatch != metav1.ResourceVersionMatchExact {
		return nil, errUnused
	}
	a, err := c.process.ask(ctx, &message{verb: "list", query: query{
		selector: o.FieldSelector, version: o.ResourceVersion, exact: o.ResourceVersionMatch == metav1.ResourceVersionMatchExact,
	}})
	if err != nil {
		return nil, err
	}
	return a.object.(*coordv1.LeaseList), nil
}

func (c conn) Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	if !selects(o.FieldSelector) {
		return nil, errUnused
	}
	m := &message{verb: "watch", query: query{selector: o.FieldSelector, version: o.ResourceVersion}}
	if o.TimeoutSeconds != nil {
		m.timeout = time.Duration(*o.TimeoutSeconds) * time.Second
	}
	a, err := c.process.ask(ctx, m)
	return a.watch, err
}

// selects reports whether a field selector is for the one Lease there is, or for
// all of the namespace, which is the same.
func selects(selector string) bool { return selector == "" || selector == "metadata.name="+leaseName }
