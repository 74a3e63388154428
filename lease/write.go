package lease

import (
	"math"
	"strconv"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/fencing"
)

// The bodies this package ever writes. Each but the first starts from a copy of
// the record it replaces, so that what is not ours (labels, foreign annotations,
// strategy, preferredHolder) survives.

// vacant also has a time: without its mark, which anybody can take away, it must
// not pass for a Lease that was shipped.
func (l *Lock) vacant() *coordv1.Lease {
	return &coordv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: l.Namespace, Name: l.Name,
			Annotations: map[string]string{AnnotationVacant: "created by " + l.Identity},
		},
		Spec: coordv1.LeaseSpec{RenewTime: now()},
	}
}

func (l *Lock) taken(from Record, token fencing.Token) *coordv1.Lease {
	next := from.Lease()
	transitions := from.Transitions()
	if transitions < math.MaxInt32 { // at the end it stays: it is not the token
		transitions++
	}
	next.Spec.AcquireTime = now()
	next.Spec.LeaseTransitions = &transitions
	l.stamp(next, token, *next.Spec.AcquireTime)
	return next
}

func (l *Lock) renewed(c Claim) *coordv1.Lease {
	next := c.Record.Lease()
	l.stamp(next, c.Token, *now())
	return next
}

func (l *Lock) stamp(next *coordv1.Lease, token fencing.Token, renewTime metav1.MicroTime) {
	seconds := int32(l.Timing.LeaseDuration / time.Second)
	next.Spec.HolderIdentity = &l.Identity
	next.Spec.LeaseDurationSeconds = &seconds
	next.Spec.RenewTime = &renewTime
	if next.Annotations == nil {
		next.Annotations = map[string]string{}
	}
	next.Annotations[AnnotationEpoch] = strconv.FormatInt(token.Epoch, 10)
	next.Annotations[AnnotationTerm] = token.Term
	next.Annotations[AnnotationHolder] = l.Identity
	delete(next.Annotations, AnnotationReleased)
	delete(next.Annotations, AnnotationVacant)
}

// released keeps the epoch for the next holder to count on from. The duration
// of 1 s and the times are what client-go's elector writes.
func (l *Lock) released(c Claim) *coordv1.Lease {
	next := c.Record.Lease()
	nobody, second := "", int32(1)
	l.stamp(next, c.Token, *now())
	next.Spec.HolderIdentity = &nobody
	next.Spec.LeaseDurationSeconds = &second
	next.Spec.AcquireTime = next.Spec.RenewTime
	next.Annotations[AnnotationReleased] = releaseMark(next.Spec.RenewTime.Time)
	return next
}
