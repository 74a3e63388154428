package kubefence

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/fencing"
)

// Object names one Kubernetes object of any kind. [Objects.Object] returns one.
type Object interface {
	fmt.Stringer
	scope() string
	raise(ctx context.Context, t fencing.Token) error
	mark(ctx context.Context) (fencing.Token, error)
}

// Object names an object for [NewGuard]. It need not exist yet.
func (o *Objects[T]) Object(name string) Object { return object[T]{o, name} }

type object[T metav1.Object] struct {
	*Objects[T]
	name string
}

func (o object[T]) String() string { return o.name }
func (o object[T]) scope() string  { return o.config.Scope }

// raise makes t the object's mark. It writes even if t is the mark already: what was read may come
// from a cache, or from another request whose outcome nobody knows. Only a write on condition that
// the object still has that version proves that what was read is stored.
func (o object[T]) raise(ctx context.Context, t fencing.Token) error {
	return o.settle(ctx, func(current T) error {
		_, err := admit(t, current)
		stamp(current, t)
		return err
	})
}

// mark returns the object's mark, proven by a write that changes nothing. For such a
// write the API server compares the version, but stores nothing.
func (o object[T]) mark(ctx context.Context) (mark fencing.Token, _ error) {
	err := o.settle(ctx, func(current T) (err error) {
		mark, err = markOf(current, o.config.Scope)
		return err
	})
	if err != nil {
		return fencing.Token{}, err
	}
	return mark, nil
}

// settle reads the object, lets judge refuse or change it, and writes it over the version that was
// read, until that succeeds. Writing twice does no harm, so settle tries again if there was no
// answer.
func (o object[T]) settle(ctx context.Context, judge func(T) error) error {
	var last error
	for try := 0; try < o.config.Tries && pause(ctx, try); try++ {
		current, err := o.get(ctx, o.name)
		if err != nil {
			return err
		}
		read := versionOf(current)
		if err := judge(current); err != nil {
			return err
		}
		read.pin(current)
		_, last = o.update(ctx, current, fencing.Token{})
		switch {
		case last == nil:
			return nil
		case refused(last) && !overtaken(last):
			return answered(o.name, last)
		}
	}
	return o.giveUp(ctx, o.name, nil, last)
}

// Guard is a [fencing.Guard] whose mark is the annotation of an object, for
// singleton.Config.Guards. It is safe for concurrent use.
type Guard struct {
	scope   string
	objects []Object     // the first is the mark
	settled atomic.Value // fencing.Token: the latest token on all objects
}

var _ fencing.Checker = (*Guard)(nil)

// NewGuard returns a guard that keeps its mark on the object mark, such as a ConfigMap shipped for
// this. When a token is announced, the guard also stamps all others. From then on, writes of older
// terms to any of these objects are refused. All objects must be of one scope.
//
// The announcement does not fence objects that are not named. For each of them, the successor's
// first write does.
//
// The guard never creates an object, because a new object would lack the mark of the old one. If an
// object or a right is missing, the error is [fencing.ErrWiring].
//
// The guard does not trust a read alone. Before it admits a token or returns the mark, it makes a
// write on condition that the object still has the version that was read. So it works just as well
// over a Client that reads from a cache. If the cache hangs, the error is [fencing.ErrUnavailable].
func NewGuard(mark Object, others ...Object) (*Guard, error) {
	g := &Guard{objects: append([]Object{mark}, others...)}
	for i, o := range g.objects {
		switch {
		case o == nil:
			return nil, fmt.Errorf("kubefence: object %d of the guard is nil", i)
		case i > 0 && o.scope() != g.scope:
			return nil, fmt.Errorf("kubefence: %w: the guard's mark %v is of %s, its object %v of %s",
				fencing.ErrScope, mark, g.scope, o, o.scope())
		}
		g.scope = o.scope()
	}
	return g, nil
}

// Announce raises the mark, then stamps the other objects, one after the other. Once it has
// returned nil, no write of an older term to any of them can land. If it fails, some objects may
// have been stamped already. A retry stamps the others too.
func (g *Guard) Announce(ctx context.Context, t fencing.Token) error {
	if err := fencing.OwnToken(t, g.scope); err != nil {
		return err
	}
	for _, o := range g.objects {
		if err := o.raise(ctx, t); err != nil {
			return failClosed(o, err)
		}
	}
	g.settled.Store(t)
	return nil
}

// Check reads the mark, and confirms it by a write that changes nothing. It announces t if t is
// newer, or if this guard has not announced t. Prefer to write fenced objects through [Objects],
// which compares and writes in one step.
func (g *Guard) Check(ctx context.Context, t fencing.Token) error {
	return fencing.Report(ctx, g.check(ctx, t))
}

func (g *Guard) check(ctx context.Context, t fencing.Token) error {
	if fencing.Unfenced(ctx, t) {
		return nil
	}
	if err := fencing.OwnToken(t, g.scope); err != nil {
		return err
	}
	mark, err := g.objects[0].mark(ctx)
	if err != nil {
		return failClosed(g.objects[0], err)
	}
	if settled := g.settled.Load(); mark == t && settled == t {
		return nil
	}
	return g.Announce(ctx, t)
}

// Mark reads the mark, and confirms it by a write that changes nothing. It needs the rights of
// Announce.
func (g *Guard) Mark(ctx context.Context, scope string) (fencing.Token, error) {
	if err := fencing.OwnScope(scope, g.scope); err != nil {
		return fencing.Token{}, err
	}
	mark, err := g.objects[0].mark(ctx)
	if err != nil {
		return fencing.Token{}, failClosed(g.objects[0], err)
	}
	return mark, nil
}

// failClosed is [fencing.FailClosed]. It also knows which of the API server's answers will not
// pass.
func failClosed(o Object, err error) error {
	status, answered := errors.AsType[*apierrors.StatusError](err)
	none, misses := errors.AsType[notSetError](err)
	switch {
	case answered && (apierrors.IsNotFound(status) || unauthorized(status)):
		return fmt.Errorf("%w: the mark on %q of %s: %w", fencing.ErrWiring, o, o.scope(), status)
	case misses:
		return fmt.Errorf("%w: the mark on %q of %s: %w", fencing.ErrWiring, o, o.scope(), none)
	}
	return fencing.FailClosed(err)
}

// unauthorized reports whether the caller lacks a right, by the words of the API server's
// authorization. Admission refuses with the same code, in other words, and perhaps only once.
func unauthorized(err *apierrors.StatusError) bool {
	s := err.Status()
	return s.Code == http.StatusForbidden &&
		strings.Contains(s.Message, "User ") && strings.Contains(s.Message, " cannot ")
}
