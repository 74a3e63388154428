package kubefence

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

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
func (o object[T]) scope() string  { return o.Scope }

func (o object[T]) raise(ctx context.Context, t fencing.Token) error {
	return o.try(ctx, t, o.name, true, func(context.Context, T) error { return nil })
}

func (o object[T]) mark(ctx context.Context) (fencing.Token, error) {
	current, err := o.get(ctx, o.name)
	if err != nil {
		return fencing.Token{}, err
	}
	mark, err := MarkOf(current)
	if err == nil && !mark.IsZero() && mark.Scope != o.Scope {
		return fencing.Token{}, fmt.Errorf("%w: %w: %q is fenced by %s, not by %s", fencing.ErrUnavailable, fencing.ErrScope, o.name, mark.Scope, o.Scope)
	}
	return mark, err
}

// Guard is a [fencing.Guard] whose mark is the annotation of an object, for singleton.Config.Fences. Safe for concurrent use.
type Guard struct {
	scope   string
	objects []Object     // the first is the mark
	settled atomic.Value // fencing.Token: the latest that all objects carry
}

var _ fencing.Guard = (*Guard)(nil)

// NewGuard returns a guard that keeps its mark on the object mark, such as a ConfigMap shipped for that, and that stamps also all
// others when a token is announced. Writes of older terms to any of these objects are refused from then on. All must be of
// one scope.
//
// Objects that are not named are fenced off by the successor's first write to each, not by the announcement.
//
// The guard never creates objects: a missing one is [fencing.ErrUnavailable], since taking it for new would forget its mark.
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

// Advance raises the mark, then stamps the other objects, one after the other. When it returns nil no write of an older term
// to any of them can land any more. On an error some may be stamped; a retry goes on.
func (g *Guard) Advance(ctx context.Context, t fencing.Token) error {
	if err := own(fencing.AllowUnfenced(ctx, ""), g.scope, t); err != nil {
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

// Check reads the mark, and advances if t is newer, or if this guard has not announced t. Objects it fences are better written
// through [Objects], which compares and writes in one step.
func (g *Guard) Check(ctx context.Context, t fencing.Token) error {
	return fencing.Report(ctx, g.check(ctx, t))
}

func (g *Guard) check(ctx context.Context, t fencing.Token) error {
	if err := own(ctx, g.scope, t); err != nil || t.IsZero() {
		return err
	}
	mark, err := g.objects[0].mark(ctx)
	if err != nil {
		return failClosed(g.objects[0], err)
	}
	if settled := g.settled.Load(); mark == t && settled == t {
		return nil
	}
	return g.Advance(ctx, t)
}

// HighWater reads the mark from the API server.
func (g *Guard) HighWater(ctx context.Context, scope string) (fencing.Token, error) {
	if err := fencing.ValidateScope(scope); err != nil {
		return fencing.Token{}, err
	}
	if scope != g.scope {
		return fencing.Token{}, fmt.Errorf("%w: asked for %s, the guard is of %s", fencing.ErrScope, scope, g.scope)
	}
	mark, err := g.objects[0].mark(ctx)
	if err != nil {
		return fencing.Token{}, failClosed(g.objects[0], err)
	}
	return mark, nil
}

// failClosed makes everything that is no verdict on the token ErrUnavailable.
func failClosed(o Object, err error) error {
	if errors.Is(err, fencing.ErrStale) || errors.Is(err, fencing.ErrConflict) || errors.Is(err, fencing.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: the mark on %q could not be kept: %w", fencing.ErrUnavailable, o, err)
}
