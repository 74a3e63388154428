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

// Object is one object that [Objects.Object] names, whatever its kind.
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

// raise makes t the object's mark. Also where it is already, it writes: what is read may come from a cache, or be another
// request's of whose end nobody knows, and only a write of just that version says that it is what is stored.
func (o object[T]) raise(ctx context.Context, t fencing.Token) error {
	return o.settle(ctx, func(current T) error {
		_, err := admit(t, current)
		stamp(current, t)
		return err
	})
}

// mark returns the object's mark, proven by a write that changes nothing, which the API server compares and does not store.
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

// settle reads the object, lets judge refuse it or change it, and writes it as of the version read, until that succeeds. What is
// written may be written twice: nothing is lost by trying again after no answer.
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

// Guard is a [fencing.Guard] whose mark is the annotation of an object, for singleton.Config.Guards. Safe for concurrent use.
type Guard struct {
	scope   string
	objects []Object     // the first is the mark
	settled atomic.Value // fencing.Token: the latest that all objects carry
}

var _ fencing.Checker = (*Guard)(nil)

// NewGuard returns a guard that keeps its mark on the object mark, such as a ConfigMap shipped for that, and that stamps also all
// others when a token is announced. Writes of older terms to any of these objects are refused from then on. All must be of
// one scope.
//
// Objects that are not named are fenced off by the successor's first write to each, not by the announcement.
//
// The guard never creates objects: a missing one is [fencing.ErrWiring], as are missing rights, since taking it for new would
// forget its mark.
//
// All that the guard says it proves by a write of the version that it read, so that it is as good over a Client that reads from a
// cache. Behind a cache that hangs it is [fencing.ErrUnavailable].
func NewGuard(mark Object, others ...Object) (*Guard, error) {
	g := &Guard{objects: append([]Object{mark}, others...)}
	for i, o := range g.objects {
		switch {
		case o == nil:
			return nil, fmt.Errorf("kubefence: object %d of the guard is nil", i)
		case i > 0 && o.scope() != g.scope:
			return nil, fmt.Errorf("kubefence: %w: the guard's mark %v is of %s, its object %v of %s", fencing.ErrScope, mark, g.scope, o, o.scope())
		}
		g.scope = o.scope()
	}
	return g, nil
}

// Announce raises the mark, then stamps the other objects, one after the other. When it returns nil no write of an older term
// to any of them can land any more. On an error some may be stamped; a retry goes on.
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

// Check reads the mark, proves it, and announces if t is newer, or if this guard has not announced t. Objects it fences are better written
// through [Objects], which compares and writes in one step.
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

// Mark reads the mark, and proves it by a write that changes nothing: it needs the rights of Announce.
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

// failClosed is [fencing.FailClosed], and says which of the API server's answers no waiting mends.
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

// unauthorized reports whether the caller has not the right, by the words of the API server's authorization. Admission refuses by the
// same code, in other words, and perhaps for once.
func unauthorized(err *apierrors.StatusError) bool {
	s := err.Status()
	return s.Code == http.StatusForbidden && strings.Contains(s.Message, "User ") && strings.Contains(s.Message, " cannot ")
}
