package rollout

import (
	"context"
	"math"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/internal/apiclient"
	"github.com/hotseat-go/hotseat/internal/retry"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// AnnotationCost is Kubernetes' own: of two Pods of a ReplicaSet, the one with the lower cost is
// removed first.
const AnnotationCost = "controller.kubernetes.io/pod-deletion-cost"

// AnnotationOwnCost is what this package writes on the Pod beside [AnnotationCost], with the same
// text. A cost without it, or beside another text, is somebody else's, and stays.
const AnnotationOwnCost = lease.Domain + "pod-deletion-cost"

// lookEach is how soon the end of a term is noticed.
const lookEach = time.Second

// costOf grows from term to term, so that what a crashed active has left on its Pod is less than
// the next active's. It begins again at 1 after two thousand million.
func costOf(epoch int64) int64 { return 1 + epoch%math.MaxInt32 }

// keepCost has the own Pod carry a cost while this replica is active.
func (r *run) keepCost(ctx context.Context) {
	r.setCost(ctx, nil) // a process before this one may have crashed
	// WaitActive does not look at ctx in a term, which may go on for as long as work drains.
	for ctx.Err() == nil {
		term, err := r.elector.WaitActive(ctx)
		if err != nil {
			return
		}
		r.setCost(ctx, term)
		for r.elector.Status().Term == term && ctx.Err() == nil {
			retry.Pause(ctx, lookEach)
		}
		r.setCost(ctx, nil)
	}
}

// setCost writes the cost of a term, or removes it if term is nil.
func (r *run) setCost(ctx context.Context, term *singleton.Term) {
	r.insist(ctx, "DeletionCost", func() error {
		if term != r.elector.Status().Term {
			return nil // it is out of date
		}
		pod, err := apiclient.Get[object](ctx, r.api, r.pod())
		if err != nil {
			return err
		}
		cost, has := pod.Metadata.Annotations[AnnotationCost]
		own, ours := pod.Metadata.Annotations[AnnotationOwnCost]
		var value any // null removes
		switch {
		case has && (!ours || own != cost):
			r.config.Logger.Warn("this Pod has a pod-deletion-cost of somebody else's, which stays")
			return nil
		case term == nil && !has && !ours:
			return nil
		case term != nil:
			value = strconv.FormatInt(costOf(term.Token().Epoch), 10)
		}
		return r.api.Patch(ctx, r.pod(), types.MergePatchType, map[string]any{"metadata": map[string]any{
			"uid":         pod.Metadata.UID, // or it is a conflict
			"annotations": map[string]any{AnnotationCost: value, AnnotationOwnCost: value},
		}})
	})
}
