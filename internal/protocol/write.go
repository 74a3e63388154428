package protocol

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/hotseat-go/hotseat/lease"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/fencing"
)

// All bodies that this package writes. Except for the first, each starts from a copy of the record
// that it replaces. So what is not ours survives: labels, foreign annotations, strategy. An acquire
// removes the preferredHolder, as client-go's does.

// A vacant Lease also has a renewTime, so that it cannot pass for a shipped one if somebody removes
// the annotation. Its holderIdentity is set, to the empty string: an API server with coordinated
// leader election crashes on a Lease without the field.
func (l *Lock) vacant() *coordv1.Lease {
	nobody := ""
	return &coordv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: l.Namespace, Name: l.Name, Labels: l.Labels,
			Annotations: l.signed(map[string]string{lease.AnnotationVacant: "created by " + l.Identity}),
		},
		Spec: coordv1.LeaseSpec{HolderIdentity: &nobody, RenewTime: l.now(time.Time{})},
	}
}

func (l *Lock) taken(from Record, token fencing.Token) *coordv1.Lease {
	next := from.Lease()
	transitions := from.Transitions()
	if transitions < math.MaxInt32 { // at the end it stays: it is not the token
		transitions++
	}
	l.stamp(next, token, from)
	next.Annotations = l.signed(next.Annotations)
	delete(next.Annotations, lease.AnnotationSuccessor) // whoever it named had its chance
	next.Spec.PreferredHolder = nil
	next.Spec.AcquireTime = next.Spec.RenewTime
	next.Spec.LeaseTransitions = &transitions
	return next
}

// signed adds the program to annotations.
func (l *Lock) signed(annotations map[string]string) map[string]string {
	if l.Program != "" {
		annotations[lease.AnnotationProgram] = l.Program
	}
	return annotations
}

func (l *Lock) renewed(c Claim) *coordv1.Lease {
	next := c.Record.Lease()
	l.stamp(next, c.written(), c.Record)
	c.publish(next)
	return next
}

func (l *Lock) stamp(next *coordv1.Lease, token fencing.Token, over Record) {
	seconds := l.seconds()
	next.Spec.HolderIdentity = &l.Identity
	next.Spec.LeaseDurationSeconds = &seconds
	next.Spec.RenewTime = l.now(over.RenewTime())
	if next.Annotations == nil {
		next.Annotations = map[string]string{}
	}
	next.Annotations[lease.AnnotationEpoch] = strconv.FormatInt(token.Epoch, 10)
	next.Annotations[lease.AnnotationTerm] = token.Term
	next.Annotations[lease.AnnotationHolder] = l.Identity
	delete(next.Annotations, lease.AnnotationReleased)
	delete(next.Annotations, lease.AnnotationVacant)
	delete(next.Annotations, lease.AnnotationEvidence)
}

func (l *Lock) seconds() int32 { return int32(l.Timing.LeaseDuration / time.Second) }

// released keeps the epoch, even one that was raised by hand, so that the next holder counts on
// from it. The duration of 1 s and the times are what client-go's elector writes.
func (l *Lock) released(c Claim) *coordv1.Lease {
	next := c.Record.Lease()
	nobody, second := "", int32(1)
	token := c.written()
	if epoch, err := c.Record.Epoch(); err == nil {
		token.Epoch = max(token.Epoch, epoch)
	}
	l.stamp(next, token, c.Record)
	if c.Successor != "" {
		next.Annotations[lease.AnnotationSuccessor] = c.Successor
	}
	next.Spec.HolderIdentity = &nobody
	next.Spec.LeaseDurationSeconds = &second
	next.Spec.AcquireTime = next.Spec.RenewTime
	next.Annotations[lease.AnnotationReleased] = releaseMark(next.Spec.RenewTime.Time, c.Record.ResourceVersion())
	return next
}

// operation of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"` // null in a test: there is nothing
}

func annotationPath(key string) string {
	return "/metadata/annotations/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

func annotations() []string {
	return []string{
		lease.AnnotationEpoch, lease.AnnotationTerm, lease.AnnotationHolder, lease.AnnotationReleased,
		lease.AnnotationVacant, lease.AnnotationEvidence,
	}
}

// field of a Lease's spec that this package writes.
type field struct {
	path  string
	value any
	set   bool
}

func specOf(l *coordv1.Lease) []field {
	s := l.Spec
	return []field{
		{"/spec/holderIdentity", s.HolderIdentity, s.HolderIdentity != nil},
		{"/spec/leaseDurationSeconds", s.LeaseDurationSeconds, s.LeaseDurationSeconds != nil},
		{"/spec/acquireTime", s.AcquireTime, s.AcquireTime != nil},
		{"/spec/renewTime", s.RenewTime, s.RenewTime != nil},
		{"/spec/leaseTransitions", s.LeaseTransitions, s.LeaseTransitions != nil},
	}
}

// annotate returns the operations that change our annotations to what they have to be.
func annotate(was, next map[string]string) (ops []operation) {
	if len(was) == 0 { // nothing can be tested below what is not there
		return []operation{{"test", "/metadata/annotations", nil}, {"add", "/metadata/annotations", next}}
	}
	for _, key := range append(annotations(), lease.AnnotationSuccessor) {
		path := annotationPath(key)
		old, had := was[key]
		value, has := next[key]
		if had {
			ops = append(ops, operation{"test", path, old})
		} else {
			ops = append(ops, operation{"test", path, nil})
		}
		switch {
		case has:
			ops = append(ops, operation{"add", path, value})
		case had:
			ops = append(ops, operation{"remove", path, nil})
		}
	}
	if program := next[lease.AnnotationProgram]; program != was[lease.AnnotationProgram] {
		ops = append(ops, operation{"add", annotationPath(lease.AnnotationProgram), program})
	}
	return ops
}

// swap writes next over from, if from is still what is stored. The version alone does not prove
// that: after a restore it can mean another record. The content alone does not either: an edit can
// put it back. beside is the argument of [ask].
func (l *Lock) swap(ctx context.Context, from Record, next *coordv1.Lease, beside time.Duration) (Record, error) {
	was := from.lease
	ops := []operation{{"test", "/metadata/uid", was.UID}, {"test", "/metadata/resourceVersion", was.ResourceVersion}}
	for i, f := range specOf(was) {
		ops = append(ops, operation{"test", f.path, f.value})
		if to := specOf(next)[i]; to.set {
			ops = append(ops, operation{"add", f.path, to.value})
		}
	}
	if preferred := was.Spec.PreferredHolder; preferred != nil && next.Spec.PreferredHolder == nil {
		const path = "/spec/preferredHolder"
		ops = append(ops, operation{"test", path, preferred}, operation{"remove", path, nil})
	}
	ops = append(ops, annotate(was.Annotations, next.Annotations)...)
	stored, err := l.write(ctx, ops, next, beside)
	if err == nil && stored.ResourceVersion() == was.ResourceVersion {
		err = conflict("patch", "it was answered with the version that was written over")
	}
	return stored, err
}

// replace writes next over from by an update, which compares the UID and version.
func (l *Lock) replace(ctx context.Context, _ Record, next *coordv1.Lease, beside time.Duration) (Record, error) {
	ctx, cancel := context.WithTimeout(ctx, l.Timing.RenewDeadline)
	defer cancel()
	stored, err := l.update(ctx, next, beside)
	if err == nil && !stored.RenewTime().Equal(next.Spec.RenewTime.Time) {
		err = conflict("update", "the answer has another renewTime than the one written")
	}
	return stored, err
}

// lift is prolong that also writes a new epoch, the claim's Lift, over the term's.
func (l *Lock) lift(ctx context.Context, c Claim) (Record, error) {
	next := l.renewed(c)
	path := annotationPath(lease.AnnotationEpoch)
	return l.write(ctx, append(renewal(next),
		operation{"test", path, strconv.FormatInt(c.Token.Epoch, 10)},
		operation{"add", path, next.Annotations[lease.AnnotationEpoch]}), next, l.Timing.RequestTimeout())
}
