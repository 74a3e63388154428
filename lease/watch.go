package lease

import (
	"context"
	"fmt"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/hotseat-go/hotseat/internal/chance"
)

// Servers end watches after 5 to 10 minutes, as client-go's reflectors ask
// them to: it moves the load to new API servers in time.
const minWatch, maxWatch = 5 * time.Minute, 10 * time.Minute

// Watch delivers each change of the Lease after from, a List's observation, in
// order, until the watch or ctx ends. deliver is called on this goroutine and
// must not block. It returns nil when the server ended the watch, as servers do;
// list and watch again. The error is a [*RequestError]; its kind is ErrConflict
// when from is too old to watch from (410).
func (l *Lock) Watch(ctx context.Context, from Observation, deliver func(Observation)) error {
	timeout := minWatch + chance.N(ctx, maxWatch-minWatch)
	seconds := int64(timeout / time.Second)
	ctx, cancel := context.WithTimeout(ctx, timeout+l.Timing.RequestTimeout()) // the server is to end it sooner
	defer cancel()
	opening := time.AfterFunc(l.Timing.RequestTimeout(), cancel)
	w, err := l.client.Watch(ctx, metav1.ListOptions{
		FieldSelector:       l.selector(),
		ResourceVersion:     from.ResourceVersion,
		AllowWatchBookmarks: true, // keeps the connection's resource version young
		TimeoutSeconds:      &seconds,
	})
	if !opening.Stop() && err == nil {
		w.Stop()
		err = context.DeadlineExceeded
	}
	if err != nil {
		return watchError(err)
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return watchError(ctx.Err())
		case event, ok := <-w.ResultChan():
			if !ok {
				return nil
			}
			if err := l.deliver(event, deliver); err != nil {
				return err
			}
		}
	}
}

func (l *Lock) deliver(event watch.Event, deliver func(Observation)) error {
	switch event.Type {
	case watch.Bookmark:
		return nil
	case watch.Error:
		return watchError(apierrors.FromObject(event.Object))
	}
	object, ok := event.Object.(*coordv1.Lease)
	if !ok {
		return watchError(fmt.Errorf("%s event carries a %T", event.Type, event.Object))
	}
	if object.Name != l.Name {
		return nil
	}
	arrived := l.Clock.Now()
	o := Observation{Asked: arrived, At: arrived, ResourceVersion: object.ResourceVersion}
	if event.Type != watch.Deleted {
		o.Record = Record{object}
	}
	deliver(o)
	return nil
}

func watchError(err error) error {
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return &RequestError{Verb: "watch", Kind: ErrConflict, Err: err}
	}
	return requestError("watch", err)
}
