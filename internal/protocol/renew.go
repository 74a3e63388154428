package protocol

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/lease"
)

// Renew prolongs the term. It writes a new renewTime as long as the Lease names the holder and the
// term, whatever its version. So a renewal does not need the answer of the one before. If the write
// is refused, Renew asks the store. If the term still stands, because somebody edited annotations,
// Renew repairs it by compare-and-swap, a few times at most.
//
// Errors: a [*LostError] ends the term. A [*lease.RequestError] does not; the term ends with the
// claim's validity. If the returned claim has a later Sent, it was prolonged. This can come with
// the [*LostError] of an epoch that was raised meanwhile, perhaps by [Lock.Raise].
func (l *Lock) Renew(ctx context.Context, c Claim) (Claim, error) {
	sent := l.Clock.Now()
	stored, err := l.prolong(ctx, c)
	if err == nil {
		lost := c.Standing(stored)
		if lost == nil && c.holds(stored) || lost != nil && c.releasable(stored) == nil {
			return c.wrote(stored, sent), lost
		}
		if lost != nil {
			return c, lost
		}
		c.Record, err = stored, conflict("patch", "annotations were changed")
	}
	if !errors.Is(err, lease.ErrConflict) {
		return c, err
	}
	return l.repair(ctx, c, err)
}

// prolong writes a new renewTime over whatever version names c's term.
func (l *Lock) prolong(ctx context.Context, c Claim) (Record, error) {
	next := l.renewed(c)
	return l.write(ctx, renewal(next), next, 0)
}

func renewal(next *coordv1.Lease) []operation {
	ops := []operation{
		{"test", "/metadata/uid", next.UID},
		{"test", annotationPath(lease.AnnotationTerm), next.Annotations[lease.AnnotationTerm]},
		{"test", "/spec/holderIdentity", next.Spec.HolderIdentity},
		{"add", "/spec/renewTime", next.Spec.RenewTime},
		{"add", "/spec/leaseDurationSeconds", next.Spec.LeaseDurationSeconds},
	}
	if evidence := next.Annotations[lease.AnnotationEvidence]; evidence != "" {
		ops = append(ops, operation{"add", annotationPath(lease.AnnotationEvidence), evidence})
	}
	return ops
}

// write sends ops. If the verb patch is refused, it sends next as an update by UID and resource
// version. No other write has the same renewTime, so an answer with another renewTime is not the
// answer to this write.
func (l *Lock) write(ctx context.Context, ops []operation, next *coordv1.Lease, beside time.Duration) (Record, error) {
	stored, err := l.send(ctx, ops, next, beside)
	if err == nil && !stored.RenewTime().Equal(next.Spec.RenewTime.Time) {
		err = conflict("patch", "the answer has another renewTime than the one written")
	}
	return stored, err
}

func (l *Lock) send(ctx context.Context, ops []operation, next *coordv1.Lease, beside time.Duration) (Record, error) {
	ctx, cancel := context.WithTimeout(ctx, l.Timing.RenewDeadline)
	defer cancel()
	if r := l.refused.Load(); r == nil || l.Clock.Since(r.since) > l.Timing.LeaseDuration {
		data, err := json.Marshal(ops)
		if err != nil {
			return Record{}, requestError("patch", err)
		}
		stored, err := ask(ctx, &l.underway, beside, func(ctx context.Context) (*coordv1.Lease, error) {
			return l.client.Patch(ctx, l.Name, types.JSONPatchType, data, metav1.PatchOptions{})
		})
		if err == nil {
			l.refused.Store(nil)
			return recordOf(stored), nil
		}
		failed := requestError("patch", err)
		if !errors.Is(failed, lease.ErrForbidden) && !unsupported(err) {
			return Record{}, failed
		}
		if stored, updated := l.updateSoon(ctx, next); updated == nil || !errors.Is(updated, lease.ErrForbidden) {
			l.refused.Store(&refusal{l.Clock.Now(), failed})
			return stored, updated
		}
		return Record{}, failed
	}
	return l.updateSoon(ctx, next)
}

// refusal of the verb patch.
type refusal struct {
	since Instant
	err   error
}

// PatchRefused returns why writes use the verb update instead of patch, and nil as long as they use
// patch. With update, a renewal needs the answer of the one before. A server that takes longer than
// a quarter of RenewDeadline then ends terms.
func (l *Lock) PatchRefused() error {
	if r := l.refused.Load(); r != nil {
		return r.err
	}
	return nil
}

func unsupported(err error) bool {
	return apierrors.IsMethodNotSupported(err) || apierrors.IsUnsupportedMediaType(err)
}

// updateSoon takes at most a quarter of RenewDeadline: if the verb patch is refused, the next write
// cannot be sent before its answer.
func (l *Lock) updateSoon(ctx context.Context, next *coordv1.Lease) (Record, error) {
	ctx, cancel := context.WithTimeout(ctx, l.Timing.RequestTimeout())
	defer cancel()
	return l.update(ctx, next, 0)
}

func (l *Lock) update(ctx context.Context, next *coordv1.Lease, beside time.Duration) (Record, error) {
	stored, err := ask(ctx, &l.underway, beside, func(ctx context.Context) (*coordv1.Lease, error) {
		return l.client.Update(ctx, next.DeepCopy(), metav1.UpdateOptions{}) // its encoding writes to it, and another may be sent beside
	})
	if err != nil {
		return Record{}, requestError("update", err)
	}
	return recordOf(stored), nil
}
