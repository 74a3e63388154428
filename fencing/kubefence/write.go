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

// ErrUnknown: no answer came that says whether the object was written. It may have been, and until the request ends in the API
// server it may yet be, but not once the object was written by somebody else. Do not take it for done, nor for refused:
// read the object, or write again what does no harm twice.
var ErrUnknown = errors.New("kubefence: whether the object was written is not known")

// write is the one way to an object: read it, compare, send a write that names the version read; and again after a conflict.
//
// After a send without a clear answer there is doubt. As long as the object is unchanged, sending once more is safe: both
// name the same version, so at most one of them has an effect. Once it is changed nobody can tell by whom.
func (o *Objects[T]) write(ctx context.Context, t fencing.Token, name string, stampFirst bool, send func(context.Context, T) error) error {
	return fencing.Report(ctx, o.try(ctx, t, name, stampFirst, send))
}

func (o *Objects[T]) try(ctx context.Context, t fencing.Token, name string, stampFirst bool, send func(context.Context, T) error) error {
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
				last = err // a stamp that landed is found by the next try
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
		case doubt != nil: // the earlier request got in the way, or may still come
			return unknown(name, doubt)
		case !overtaken(err):
			return answered(name, err)
		default:
			last = err
		}
	}
	return o.giveUp(ctx, name, doubt, last)
}

func (o *Objects[T]) bounded(ctx context.Context, current T, send func(context.Context, T) error) error {
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
		return fmt.Errorf("%w: %q was not written in %d tries: %w", fencing.ErrUnavailable, name, o.config.Tries, last)
	}
}

// refused reports whether the server answered that it did not do what was asked. Timeouts and 5xx say nothing.
func refused(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code >= http.StatusBadRequest && code < http.StatusInternalServerError && code != http.StatusRequestTimeout
}

// overtaken reports whether somebody else wrote since the object was read. A field that another manager owns is also a
// conflict to the server, and a lasting one.
func overtaken(err error) bool {
	return apierrors.IsConflict(err) && !apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict)
}

func answered(name string, err error) error { return fmt.Errorf("kubefence: %q: %w", name, err) }

func unknown(name string, doubt error) error {
	return fmt.Errorf("%w: %q: %w", ErrUnknown, name, doubt)
}

// pause waits before another try, longer each time and never the same; false if ctx ended.
func pause(ctx context.Context, try int) bool {
	if try == 0 || ctx.Err() != nil {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(rand.N(min(5*time.Millisecond<<try, 200*time.Millisecond)) + time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
