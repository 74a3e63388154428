package protocol

import (
	"context"
	"fmt"
	"time"

	"github.com/hotseat-go/hotseat/lease"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/hotseat-go/hotseat/internal/chance"
)

// Watches ask the server to end them after 5 to 10 minutes, as those of client-go's reflectors do.
// So the load moves to new API servers in time.
const minWatch, maxWatch = 5 * time.Minute, 10 * time.Minute

// Watch delivers each change of the Lease after from, a List's observation, in order, until the
// watch or ctx ends. deliver is called on this goroutine and must not block. It returns nil when
// the server ended the watch, which is normal. Then list and watch again. The error is a
// [*lease.RequestError]; its kind is ErrConflict when from is too old to watch from (410).
func (l *Lock) Watch(ctx context.Context, from Observation, deliver func(Observation)) error {
	w := watching{client: l.client, selector: l.selector(), from: from.ResourceVersion, timeout: l.Timing.RenewDeadline}
	after := from.Version()
	return w.run(ctx, func(object *coordv1.Lease, deleted bool) {
		if object.Name == l.Name { // a server that ignores the selector must not fool us
			o := seen(l.Clock, object, deleted, after)
			after = o.Version()
			deliver(o)
		}
	})
}

// seen is what a watch event shows, which comes right after that version.
func seen(clock Clock, object *coordv1.Lease, deleted bool, after string) Observation {
	arrived := clock.Now()
	o := Observation{Asked: arrived, At: arrived, ResourceVersion: object.ResourceVersion, After: after}
	if !deleted {
		o.Record = recordOf(object)
	}
	return o
}

// watching is one WATCH.
type watching struct {
	client   lease.Client
	selector string        // of fields; empty: all
	from     string        // the resource version after which it begins
	timeout  time.Duration // of its opening
}

func (w watching) run(ctx context.Context, deliver func(object *coordv1.Lease, deleted bool)) error {
	lasts := minWatch + chance.N(ctx, maxWatch-minWatch)
	seconds := int64(lasts / time.Second)
	ctx, cancel := context.WithTimeout(ctx, lasts+w.timeout) // the server is to end it sooner
	defer cancel()
	stream, err := w.open(ctx, cancel, metav1.ListOptions{
		FieldSelector:       w.selector,
		ResourceVersion:     w.from,
		AllowWatchBookmarks: true, // keeps the connection's resource version young
		TimeoutSeconds:      &seconds,
	})
	if err != nil {
		return watchError(err)
	}
	defer stream.Stop()
	for {
		select {
		case <-ctx.Done():
			return watchError(ctx.Err())
		case event, ok := <-stream.ResultChan():
			if !ok {
				return nil
			}
			switch event.Type {
			case watch.Bookmark:
				continue
			case watch.Error:
				return watchError(apierrors.FromObject(event.Object))
			}
			object, ok := event.Object.(*coordv1.Lease)
			if !ok {
				return watchError(fmt.Errorf("%s event carries a %T", event.Type, event.Object))
			}
			deliver(object, event.Type == watch.Deleted)
		}
	}
}

// open opens the watch. If the client does not return in time, open leaves the request behind.
func (w watching) open(ctx context.Context, cancel context.CancelFunc, o metav1.ListOptions) (watch.Interface, error) {
	opened := make(chan reply[watch.Interface])
	given := make(chan struct{})
	defer close(given)
	go func() {
		stream, err := w.client.Watch(ctx, o)
		select {
		case opened <- reply[watch.Interface]{stream, err}:
		case <-given:
			if err == nil {
				stream.Stop()
			}
		}
	}()
	timer := time.NewTimer(w.timeout)
	defer timer.Stop()
	select {
	case r := <-opened:
		return r.value, r.err
	case <-timer.C:
		cancel()
		return nil, ErrUnopened
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnopened, ctx.Err())
	}
}

func watchError(err error) error {
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return &lease.RequestError{Verb: "watch", Kind: lease.ErrConflict, Err: err}
	}
	return requestError("watch", err)
}
