package events

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// Recorder is what a [Reporter] needs of client-go's recorder. record.EventRecorder fits, and so
// does resourcelock.EventRecorder. Eventf is called by one goroutine at a time, and may block.
type Recorder interface {
	Eventf(object runtime.Object, eventtype, reason, messageFmt string, args ...any)
}

// Defaults of [Config].
const (
	DefaultBurst    = 20
	DefaultInterval = 5 * time.Minute
)

// queueLength bounds how many Events wait for a recorder that blocks.
const queueLength = 32

// Config of a [Reporter]. The zero value of a field means its default.
type Config struct {
	// Regarding is the object that the Events are about, for example this replica's Pod. It must name
	// its kind and API version, or be of a type that the recorder's scheme knows. kubectl describe
	// shows Events only if the object has its UID. Default: the Lease of the term.
	Regarding runtime.Object
	// Burst is how many Events may follow each other without a limit. Default 20.
	Burst int
	// Interval is the time between Events once Burst is used up. Default 5 minutes.
	Interval time.Duration
}

// Reporter tells a recorder of terms. Its methods are safe for concurrent use. One Reporter may
// serve several electors; the limit then is for all of them together.
type Reporter struct {
	recorder  Recorder
	regarding runtime.Object
	limit     flowcontrol.RateLimiter

	mu      sync.Mutex
	queue   []event
	leftOut int           // since the last Event that was queued
	working chan struct{} // closed when the queue is worked off; nil: there is nothing to do
}

// event is one that waits for the recorder.
type event struct {
	regarding runtime.Object
	kind      kind
	message   string
}

// New returns a Reporter. It fails with a [*lease.FieldError], or several joined, if recorder is
// nil, or if a number is negative.
func New(recorder Recorder, config Config) (*Reporter, error) {
	var errs []error
	if n, is := recorder.(newer); is && missing(n.recorder) || missing(recorder) {
		errs = append(errs, &lease.FieldError{Field: "recorder", Value: nil, Rule: "must not be nil"})
	}
	if config.Burst < 0 {
		errs = append(errs, &lease.FieldError{
			Field: "Burst", Value: config.Burst, Rule: "must not be negative"})
	}
	if config.Interval < 0 {
		errs = append(errs, &lease.FieldError{
			Field: "Interval", Value: config.Interval, Rule: "must not be negative"})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	interval := cmp.Or(config.Interval, DefaultInterval)
	return &Reporter{
		recorder: recorder, regarding: config.Regarding,
		limit: flowcontrol.NewTokenBucketRateLimiter(
			float32(1/interval.Seconds()), cmp.Or(config.Burst, DefaultBurst)),
	}, nil
}

// missing reports whether an interface has no value, or a nil pointer.
func missing(recorder any) bool {
	v := reflect.ValueOf(recorder)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// Hooks tell the recorder of each term's beginning, of its end and of an overrun. They do not
// block.
func (r *Reporter) Hooks() singleton.Hooks {
	return singleton.Hooks{
		OnAcquire: func(_ context.Context, term *singleton.Term) {
			r.tell(term, becameActive(), activeMessage(term))
		},
		OnLose: func(term *singleton.Term, cause error) {
			kind, why := endOf(cause)
			r.tell(term, kind, endMessage(term, why))
		},
		OnOverrun: func(term *singleton.Term) {
			r.tell(term, overrun(), overrunMessage(term))
		},
	}
}

// Wait returns once the recorder has all Events. Its error is the cause of ctx's end. Call it after
// Run has returned.
func (r *Reporter) Wait(ctx context.Context) error {
	r.mu.Lock()
	working := r.working
	r.mu.Unlock()
	if working == nil {
		return nil
	}
	select {
	case <-working:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// tell queues an Event, unless there are too many.
func (r *Reporter) tell(term *singleton.Term, kind kind, message string) {
	e := event{regarding: r.regarding, kind: kind, message: message}
	if e.regarding == nil {
		e.regarding = leaseOf(term)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) >= queueLength || !r.limit.TryAccept() {
		r.leftOut++
		return
	}
	e.message += leftOutMessage(r.leftOut)
	r.leftOut = 0
	r.queue = append(r.queue, e)
	if r.working == nil {
		r.working = make(chan struct{})
		go r.handOver()
	}
}

// handOver works the queue off. Wait waits for it.
func (r *Reporter) handOver() {
	for e, ok := r.next(); ok; e, ok = r.next() {
		r.recorder.Eventf(e.regarding, string(e.kind.severity), e.kind.reason, "%s", e.message)
	}
}

// next returns the next Event. It reports false if there is none: the goroutine then ends.
func (r *Reporter) next() (event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		close(r.working)
		r.queue, r.working = nil, nil
		return event{}, false
	}
	next := r.queue[0]
	r.queue = r.queue[1:]
	return next, true
}

// leaseOf is the Lease of a term. Its UID is what kubectl describe looks for.
func leaseOf(term *singleton.Term) runtime.Object {
	namespace, name, _ := strings.Cut(term.Token().Scope, "/")
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: term.LeaseUID()},
	}
}
