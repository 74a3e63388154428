package kubefence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/fencing"
)

// Config of [New]. Only Scope is required.
type Config struct {
	// Scope is [fencing.Scope] of the Lease. Tokens of other scopes are refused with
	// [fencing.ErrScope].
	Scope string

	// FieldManager is named in creates and updates. If it is empty, the server takes the client's user
	// agent.
	FieldManager string

	// Tries bounds how often one call reads the object and sends a write. It tries again if others
	// wrote in between, or if an answer was lost. Between tries it pauses for up to 200 ms. Zero means
	// 10; negative is an error.
	Tries int

	// RequestTimeout bounds each request. Zero means 10 s; negative is an error. A timeout that is too
	// short leaves outcomes unknown. It never costs safety.
	RequestTimeout time.Duration
}

// Objects is a writer for the objects of one kind in one namespace. Each write carries a token. All
// methods are safe for concurrent use if the Client is.
//
// If [fencing.AllowUnfenced] allows a write without a token, the write is not compared with the
// mark. It leaves the mark unchanged, unless the mutate function of [Objects.Update] sets the
// annotation. That can repair a mark.
//
// Besides the errors of package fencing, methods return:
//
//   - [ErrUnknown], if the write may have happened, or may still happen;
//   - the API server's own answer, wrapped, if it refused the write or if there is no such object:
//     nothing was written;
//   - [fencing.ErrUnavailable], if the object could not be read, or if during each try somebody
//     else wrote the object: nothing was written.
type Objects[T metav1.Object] struct {
	client Client[T]
	config Config
}

// New returns the fenced objects that client reads and writes. It fails if a field of c is not as
// documented.
func New[T metav1.Object](client Client[T], c Config) (*Objects[T], error) {
	if err := fencing.ValidateScope(c.Scope); err != nil {
		return nil, fmt.Errorf("kubefence: Config.Scope: %w", err)
	}
	if c.Tries < 0 || c.RequestTimeout < 0 {
		return nil, fmt.Errorf("kubefence: Config.Tries is %d, Config.RequestTimeout is %v,"+
			" must not be negative", c.Tries, c.RequestTimeout)
	}
	c.Tries, c.RequestTimeout = cmp.Or(c.Tries, 10), cmp.Or(c.RequestTimeout, 10*time.Second)
	return &Objects[T]{client, c}, nil
}

// Update reads the object, compares its mark with t, lets mutate change it, stamps it, and writes
// over exactly the version that was read. If somebody else wrote meanwhile, Update starts over. So
// mutate may be called several times, each time on what is stored then. If mutate fails, Update
// ends and returns the error unchanged. Otherwise it returns the object as stored.
//
// If the object has a status subresource, Update does not write the status. See [Objects.Stamped].
func (o *Objects[T]) Update(
	ctx context.Context, t fencing.Token, name string, mutate func(T) error,
) (stored T, _ error) {
	err := o.write(ctx, t, name, false, func(ctx context.Context, current T) error {
		read := versionOf(current)
		mark, stamped := current.GetAnnotations()[Annotation]
		if err := mutate(current); err != nil {
			return &abort{err}
		}
		read.pin(current)
		if _, kept := current.GetAnnotations()[Annotation]; stamped && !kept {
			setMark(current, mark) // mutate may change the mark, but not lose it
		}
		var err error
		stored, err = o.update(ctx, current, t)
		return err
	})
	return stored, err
}

// Stamped is for every write that is not a plain update of the object: a write of its status or
// scale, a patch, an eviction. Stamped compares, stamps the object with t if its mark is lower, and
// calls send with the object as stored. send must make a write that names the resourceVersion of
// that object (and the UID, if it can). Then the write fails with a conflict once somebody else,
// such as a later term, wrote:
//
//	send := func(ctx context.Context, d *appsv1.Deployment) error {
//		_, err := client.UpdateScale(ctx, d.Name, &autoscalingv1.Scale{
//			ObjectMeta: metav1.ObjectMeta{
//				Name: d.Name, Namespace: d.Namespace, UID: d.UID, ResourceVersion: d.ResourceVersion,
//			},
//			Spec:       autoscalingv1.ScaleSpec{Replicas: 3},
//		}, metav1.UpdateOptions{})
//		return err
//	}
//	err := deployments.Stamped(ctx, token, "web", send)
//
// send is called again after a conflict. It is also called again after an error that is not an
// answer of the API server, if the object is unchanged.
func (o *Objects[T]) Stamped(
	ctx context.Context, t fencing.Token, name string,
	send func(ctx context.Context, stored T) error,
) error {
	return o.write(ctx, t, name, true, send)
}

// Delete deletes exactly the version of the object that was compared, by preconditions on UID and
// resourceVersion. They replace those in opts. The mark goes with the object: a stale create of the
// same name then finds nothing to be compared with.
func (o *Objects[T]) Delete(
	ctx context.Context, t fencing.Token, name string, opts metav1.DeleteOptions,
) error {
	// Stamp first: with finalizers or a grace period the object outlives the call.
	return o.write(ctx, t, name, true, func(ctx context.Context, current T) error {
		uid, resourceVersion := current.GetUID(), current.GetResourceVersion()
		opts.Preconditions = &metav1.Preconditions{UID: &uid, ResourceVersion: &resourceVersion}
		return o.client.Delete(ctx, name, opts)
	})
}

// Create stamps the object, in place, and creates it. The object needs a name (not only
// generateName). If an object of that name exists, Create fails. The error is one of package
// fencing if t may not write the existing object. Else it is the API server's AlreadyExists: call
// [Objects.Update] then.
//
// If there is no object of that name, there is no mark that could refuse an older term. See the
// package documentation.
func (o *Objects[T]) Create(ctx context.Context, t fencing.Token, object T) (T, error) {
	stored, err := o.tryCreate(ctx, t, object)
	return stored, fencing.Report(ctx, err)
}

func (o *Objects[T]) tryCreate(ctx context.Context, t fencing.Token, object T) (none T, _ error) {
	if err := o.own(ctx, t); err != nil {
		return none, err
	}
	name := object.GetName()
	if name == "" {
		return none, errors.New("kubefence: the object to create has no name, must have one:" +
			" a create with generateName cannot be repeated")
	}
	stamp(object, t)
	var doubt, last error
	for try := 0; try < o.config.Tries && pause(ctx, try); try++ {
		stored, err := o.create(ctx, object)
		switch {
		case err == nil:
			return stored, nil
		case !refused(err):
			doubt = err
			continue
		case doubt != nil:
			return none, unknown(name, doubt)
		case !apierrors.IsAlreadyExists(err):
			return none, answered(name, err)
		}
		existing, missing := o.get(ctx, name)
		switch {
		case apierrors.IsNotFound(missing): // deleted since
			last = err
		case missing != nil:
			return none, missing
		default:
			if _, err := admit(t, existing); err != nil {
				return none, err
			}
			return none, answered(name, err)
		}
	}
	return none, o.giveUp(ctx, name, doubt, last)
}

// own refuses a token that can be refused without reading the mark: a malformed one, or one of
// another scope. It admits the zero Token if ctx allows that.
func (o *Objects[T]) own(ctx context.Context, t fencing.Token) error {
	if fencing.Unfenced(ctx, t) {
		return nil
	}
	return fencing.OwnToken(t, o.config.Scope)
}

// get reads the object. It returns NotFound as such. Any other failure is ErrUnavailable: nothing
// can be admitted.
func (o *Objects[T]) get(ctx context.Context, name string) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, o.config.RequestTimeout)
	defer cancel()
	object, err := o.client.Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		err = answered(name, err)
	case err != nil:
		err = fmt.Errorf("%w: reading %q: %w", fencing.ErrUnavailable, name, err)
	// Without these, a write could not be bound to what was read.
	case object.GetUID() == "" || object.GetResourceVersion() == "":
		err = fmt.Errorf("%w: %q was read without UID or resourceVersion", fencing.ErrUnavailable, name)
	}
	return object, err
}

// update stamps the object and writes it.
func (o *Objects[T]) update(ctx context.Context, object T, t fencing.Token) (T, error) {
	stamp(object, t)
	ctx, cancel := context.WithTimeout(ctx, o.config.RequestTimeout)
	defer cancel()
	return o.client.Update(ctx, object, metav1.UpdateOptions{FieldManager: o.config.FieldManager})
}

func (o *Objects[T]) create(ctx context.Context, object T) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, o.config.RequestTimeout)
	defer cancel()
	return o.client.Create(ctx, object, metav1.CreateOptions{FieldManager: o.config.FieldManager})
}

// abort is an error of the caller's own code, before anything was sent.
type abort struct{ error }
