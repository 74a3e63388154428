package protocol

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/hotseat-go/hotseat/lease"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// List looks at the Lease by a linearizable LIST restricted to its name: one
// request that also answers for a missing Lease and carries the store's current
// resource version. The error is a [*lease.RequestError], or ErrUnversioned.
func (l *Lock) List(ctx context.Context) (Observation, error) {
	return l.read(ctx, func(ctx context.Context) (Observation, error) {
		return l.list(ctx, metav1.ListOptions{})
	})
}

// Get looks at the Lease by a GET, which asks the store. (A LIST may come from a cache that is
// ahead of the store.) So after a refused write, Get shows why it was refused. If the verb get is
// refused, or the Lease is missing, Get is a [Lock.List].
func (l *Lock) Get(ctx context.Context) (Observation, error) {
	o, err := l.get(ctx)
	if unanswerable(err) {
		missing := apierrors.IsNotFound(err)
		o, err = l.List(ctx)
		o.Stored = missing && !o.Record.Exists()
	}
	return o, err
}

// unanswerable reports whether a GET cannot tell what a LIST can.
func unanswerable(err error) bool {
	return errors.Is(err, lease.ErrForbidden) || apierrors.IsNotFound(err)
}

func (l *Lock) get(ctx context.Context) (Observation, error) {
	return l.read(ctx, func(ctx context.Context) (Observation, error) {
		asked := l.Clock.Now()
		object, err := l.client.Get(ctx, l.Name, metav1.GetOptions{})
		if err != nil {
			return Observation{}, requestError("get", err)
		}
		o := Observation{Record: recordOf(object), Asked: asked, At: l.Clock.Now(), ResourceVersion: object.ResourceVersion, Listed: true, Stored: true}
		if object.Name != l.Name {
			return o, requestError("get", errors.New("the answer has another object"))
		}
		return o, versioned(object)
	})
}

// Confirm looks at the Lease as the store has it, before it is taken over: a GET, with the resource
// version of a LIST made beside it as the store's newest. A LIST alone may come from a cache that
// is ahead of a store which lost its last writes. A patch is tested on that cache too. So only what
// a GET showed is safe to write over. The LIST may be answered long after the GET. If it shows a
// later record, the GET is made again. The error is a [*lease.RequestError].
func (l *Lock) Confirm(ctx context.Context) (Observation, error) {
	type answer struct {
		o   Observation
		err error
	}
	listed := make(chan answer, 1)
	go func() { // it ends in time, as every read
		o, err := l.List(ctx)
		listed <- answer{o, err}
	}()
	o, err := l.get(ctx)
	list := <-listed
	if err == nil && list.err == nil && (!list.o.Record.Exists() || Newer(list.o.Record.ResourceVersion(), o.ResourceVersion)) {
		o, err = l.get(ctx)
	}
	switch {
	case apierrors.IsNotFound(err) && list.err == nil && list.o.Record.Exists(): // it was lost, or is just being created
		list.o.Record, list.o.Stored = Record{}, true
		return list.o, nil
	case unanswerable(err):
		list.o.Stored = apierrors.IsNotFound(err)
		return list.o, list.err
	case err != nil:
		return Observation{}, err
	case list.err != nil:
		return Observation{}, list.err
	}
	o.Newest = list.o.ResourceVersion
	return o, nil
}

// Before looks at what was there right before r was written: a LIST of the state exactly one
// version earlier. If that state already was untouched, or released by the same release, r was only
// an edit that does not change who is at work. Then Before looks one version further back, a few
// times at most. Nothing lies between one state and the next. looked is false if the server no
// longer knows, or if there are too many edits. The error is a [*lease.RequestError].
func (l *Lock) Before(ctx context.Context, r Record) (before Record, looked bool, err error) {
	for range rewrites {
		before, looked, err = l.before(ctx, r)
		if !looked || err != nil || !r.saysAs(before) {
			return before, looked, err
		}
		r = before
	}
	return Record{}, false, nil
}

func (l *Lock) before(ctx context.Context, r Record) (before Record, looked bool, err error) {
	version, ok := parseVersion(r.ResourceVersion())
	if !ok || version == 1 {
		return Record{}, false, nil
	}
	o, err := l.read(ctx, func(ctx context.Context) (Observation, error) {
		return l.list(ctx, metav1.ListOptions{
			ResourceVersion: strconv.FormatInt(version-1, 10), ResourceVersionMatch: metav1.ResourceVersionMatchExact,
		})
	})
	switch {
	case apierrors.IsResourceExpired(err), apierrors.IsGone(err), errors.Is(err, lease.ErrRejected):
		return Record{}, false, nil
	case err != nil:
		return Record{}, false, err
	}
	// A server that does not know the option answers with the current state.
	return o.Record, o.ResourceVersion == strconv.FormatInt(version-1, 10), nil
}

func (l *Lock) read(ctx context.Context, request func(context.Context) (Observation, error)) (Observation, error) {
	ctx, cancel := context.WithTimeout(ctx, l.Timing.RenewDeadline)
	defer cancel()
	o, err := ask(ctx, &l.underway, l.Timing.RequestTimeout(), request)
	if err == nil {
		return o, nil
	}
	if _, classified := errors.AsType[*lease.RequestError](err); classified || errors.Is(err, lease.ErrUnversioned) {
		return Observation{}, err
	}
	return Observation{}, requestError("list", err)
}

func (l *Lock) list(ctx context.Context, o metav1.ListOptions) (Observation, error) {
	o.FieldSelector = l.selector()
	asked := l.Clock.Now()
	list, err := l.client.List(ctx, o)
	if err != nil {
		return Observation{}, requestError("list", err)
	}
	seen := Observation{Asked: asked, At: l.Clock.Now(), ResourceVersion: list.ResourceVersion, Listed: true}
	if list.ResourceVersion == "" {
		err = fmt.Errorf("%w: a list has no resourceVersion", lease.ErrUnversioned)
	}
	for i := range list.Items {
		if list.Items[i].Name == l.Name { // a server that ignores the selector must not fool us
			seen.Record = recordOf(&list.Items[i])
			err = cmp.Or(err, versioned(&list.Items[i]))
		}
	}
	return seen, err
}

// versioned returns ErrUnversioned if the server gives objects no UID or version,
// by which every write here is tested.
func versioned(l *coordv1.Lease) error {
	if l.UID == "" || l.ResourceVersion == "" {
		return fmt.Errorf("%w: uid %q, resourceVersion %q", lease.ErrUnversioned, l.UID, l.ResourceVersion)
	}
	return nil
}
