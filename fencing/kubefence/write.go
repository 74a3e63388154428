package kubefence

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/fencing"
)

// ErrUnknown: no answer says whether the object was written. It may have been written already. As
// long as the request goes on in the API server, it may also be written later. A write by somebody
// else in between prevents that. Treat the write neither as done nor as refused. Read the object,
// or write again if writing twice does no harm.
var ErrUnknown = errors.New("kubefence: unknown whether the object was written")

// write is the only way to an object: read it, compare, send a write that names the version that
// was read. After a conflict it does that again.
//
// After a send without a clear answer there is doubt. As long as the object is unchanged, it is
// safe to send once more: both writes name the same version, so at most one of them has an effect.
// Once the object has changed, nobody can tell who changed it.
func (o *Objects[T]) write(
	ctx context.Context, t fencing.Token, name string, stampFirst bool,
	send func(context.Context, T) error,
) error {
	return fencing.Report(ctx, o.try(ctx, t, name, stampFirst, send))
}

func (o *Objects[T]) try(
	ctx context.Context, t fencing.Token, name string, stampFirst bool,
	send func(context.Context, T) error,
) error {
	if err := o.own(ctx, t); err != nil {
		return err
	}
	var doubt, last error
	var sent version
	for try := 0; try < o.config.Tries && pause(ctx, try); try++ {
		current, err := o.get(ctx, name)
		switch {
		case doubt != nil && err != nil && !apierrors.IsNotFound(err):
			continue
		case doubt != nil && (err != nil || versionOf(current) != sent):
			return unknown(name, doubt)
		case err != nil:
			return err
		}
		raises, err := admit(t, current)
		if err != nil {
			return err
		}
		if raises && stampFirst {
			if current, err = o.update(ctx, current, t); err != nil {
				if refused(err) && !apierrors.IsConflict(err) {
					return answered(name, err)
				}
				last = err // the next try finds a stamp that landed
				continue
			}
		}
		sent = versionOf(current)
		err = o.bounded(ctx, current, send)
		var gaveUp *abort
		switch {
		case err == nil:
			return nil
		case errors.As(err, &gaveUp) && doubt == nil:
			return gaveUp.error
		case !refused(err) && gaveUp == nil:
			doubt = err
		case doubt != nil: // the earlier request was first, or may still arrive
			return unknown(name, doubt)
		case !overtaken(err):
			return answered(name, err)
		default:
			last = err
		}
	}
	return o.giveUp(ctx, name, doubt, last)
}

func (o *Objects[T]) bounded(
	ctx context.Context, current T, send func(context.Context, T) error,
) error {
	ctx, cancel := context.WithTimeout(ctx, o.config.RequestTimeout)
	defer cancel()
	return send(ctx, current)
}

func (o *Objects[T]) giveUp(ctx context.Context, name string, doubt, last error) error {
	switch {
	case doubt != nil:
		return unknown(name, doubt)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %q was not written: %w", fencing.ErrUnavailable, name, context.Cause(ctx))
	default:
		return fmt.Errorf("%w: %q was not written in %d tries: %w",
			fencing.ErrUnavailable, name, o.config.Tries, last)
	}
}

// refused reports whether the server answered that it did not do what was asked. Timeouts and 5xx
// say nothing.
func refused(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code >= http.StatusBadRequest && code < http.StatusInternalServerError &&
		code != http.StatusRequestTimeout
}

// overtaken reports whether somebody else wrote since the object was read. For the server, a field
// that another manager owns is also a conflict, but one that stays.
func overtaken(err error) bool {
	return apierrors.IsConflict(err) &&
		!apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict)
}

func answered(name string, err error) error { return fmt.Errorf("kubefence: %q: %w", name, err) }

func unknown(name string, doubt error) error {
	return fmt.Errorf("%w: %q: %w", ErrUnknown, name, doubt)
}

// pause waits before another try, randomly, and longer each time. It returns false if ctx ended.
func pause(ctx context.Context, try int) bool {
	if try == 0 || ctx.Err() != nil {
		return ctx.Err() == nil
	}
	most := min(5*time.Millisecond<<try, 200*time.Millisecond)
	timer := time.NewTimer(rand.N(most) + time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
