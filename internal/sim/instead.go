package sim

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/hotseat-go/hotseat/lease"
)

// What a [Lie] answers a write with.
const (
	lieEmpty   = 0 // {}
	lieTaken   = 1 // the Lease as if another one held it
	lieCleared = 2 // the Lease as if nobody did
)

// slowness is how long a slow server takes for m.
func (w *world) slowness(m *message) time.Duration {
	f := w.affliction(-1, SlowServer)
	if f == nil && m.writes() {
		f = w.affliction(-1, SlowWrites)
	}
	if f == nil || f.N == 0 {
		return 0
	}
	w.hit(f.Kind)
	if f.N < 0 {
		return upTo(w.rng, f.most())
	}
	return f.most()
}

// instead is what a fault answers m with, nothing being done.
func (w *world) instead(m *message) (answer, bool) {
	n := m.from.node.index
	if f := w.affliction(n, Refuse); f != nil {
		return w.refuse(f), true
	}
	if !m.writes() {
		return answer{}, false
	}
	if f := w.affliction(n, RefuseOnce); f != nil {
		done := *f
		w.active = slices.DeleteFunc(w.active, func(other Fault) bool { return other == done })
		return w.refuse(&done), true
	}
	if f := w.affliction(n, Lie); f != nil && w.rng.Int64N(100) < f.N/10 {
		what := Lie.of(f.N % 10)
		w.hit(what)
		return answer{object: w.lie(m, f.N%10), why: string(what)}, true
	}
	return answer{}, false
}

// refuse is f's answer.
func (w *world) refuse(f *Fault) answer {
	w.hit(f.Kind.of(f.N))
	return answer{err: refusal(int(f.N)), why: strconv.FormatInt(f.N, 10)}
}

// lie is what a write is said to have made of the Lease.
func (w *world) lie(m *message, what int64) *coordv1.Lease {
	if what == lieEmpty {
		return &coordv1.Lease{}
	}
	l, err := w.store.get()
	if err != nil {
		l = manifest()
		if m.lease != nil {
			l = m.lease.DeepCopy()
		}
		l.UID, l.ResourceVersion = "00000000-0000-4000-8000-ffffffffffff", strconv.FormatInt(w.store.head()+1, 10)
	}
	l.Spec.HolderIdentity = new("")
	if what == lieTaken {
		l.Spec.HolderIdentity = new("somebody-else")
		if l.Annotations != nil {
			delete(l.Annotations, lease.AnnotationTerm)
		}
	}
	return l
}

func refusal(status int) error {
	switch status {
	case http.StatusConflict:
		return conflict(leaseName, "the object has been modified")
	case http.StatusUnauthorized:
		return apierrors.NewUnauthorized("Unauthorized")
	case http.StatusForbidden:
		return apierrors.NewForbidden(leaseResource(), leaseName, errors.New("not just now"))
	case http.StatusTooManyRequests:
		return apierrors.NewTooManyRequests("slow down", 1)
	case http.StatusServiceUnavailable:
		return apierrors.NewServiceUnavailable("not ready")
	}
	return apierrors.NewInternalError(fmt.Errorf("etcdserver: leader changed"))
}
