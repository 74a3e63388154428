package rollout

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotseat-go/hotseat/internal/apiclient"
	"github.com/hotseat-go/hotseat/internal/retry"
	"github.com/hotseat-go/hotseat/singleton"
)

// annotationRevision is what the controller of Deployments writes on a Deployment and on each of
// its ReplicaSets. A rollback gives the old ReplicaSet a new one.
const annotationRevision = "deployment.kubernetes.io/revision"

const (
	core = "/api/v1"
	apps = "/apis/apps/v1"

	answerWithin = 10 * time.Second // of a request that is not a watch

	// Pauses between attempts.
	pauseLeast = time.Second
	pauseMost  = time.Minute
	// toldAfter is how many attempts in a row fail before that is logged.
	toldAfter = 4
)

// ErrRunning is returned by [Follower.Run] while an earlier call has not returned.
var ErrRunning = errors.New("rollout: already running")

// Follower follows this replica's Pod, and tells the elector what happens to it. Make it with
// [New]. It is safe for concurrent use.
type Follower struct {
	config  Config
	api     apiclient.Client
	running atomic.Bool
}

// facts are what was seen last.
type facts struct {
	terminating bool
	cordoned    bool
	older       bool
	replaced    bool // all Pods but one are new and available
}

// run is one call of Run. Its loop owns the facts.
type run struct {
	*Follower
	elector *singleton.Elector
	changes chan func(*facts)
	workers sync.WaitGroup
}

// Run does what Config switches on until ctx ends, and then returns nil. It sets the elector's
// courtesy ([singleton.Elector.SetCourtesy]), so nobody else should. It makes the elector
// ineligible at most once, and does not make it eligible again. Give it the context of the
// elector's Run. A failed request does not end Run. While a call runs, another one returns
// [ErrRunning].
func (f *Follower) Run(ctx context.Context, elector *singleton.Elector) error {
	if !f.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer f.running.Store(false)
	r := &run{Follower: f, elector: elector, changes: make(chan func(*facts))}
	defer r.workers.Wait()
	if f.config.Terminating || f.config.Revision || f.config.Node {
		r.workers.Go(func() { r.followPod(ctx) })
	}
	if f.config.DeletionCost {
		r.workers.Go(func() { r.keepCost(ctx) })
	}
	for now := (facts{}); ; {
		select {
		case change := <-r.changes:
			before := now
			change(&now)
			r.apply(before, now)
		case <-ctx.Done():
			return nil
		}
	}
}

// apply tells the elector of what has changed.
func (r *run) apply(before, now facts) {
	log := r.config.Logger
	if now.terminating && !before.terminating {
		log.Info("this Pod is being deleted: it will not become active any more")
		r.elector.SetEligible(false)
	}
	courtesy := time.Duration(0)
	for _, reason := range []bool{now.older, now.cordoned} {
		if reason {
			courtesy += r.config.Courtesy
		}
	}
	if now.older != before.older || now.cordoned != before.cordoned {
		log.Info("others go first when the Lease comes free", "courtesy", courtesy,
			"older_revision", now.older, "node_cordoned", now.cordoned)
		r.elector.SetCourtesy(courtesy)
	}
	complete := now.older && now.replaced && (!before.older || !before.replaced)
	if r.config.HandOver && complete && r.elector.IsActive() {
		log.Info("the rollout is complete but for this Pod: handing over")
		r.elector.Resign()
	}
}

// tell hands a change to the loop.
func (r *run) tell(ctx context.Context, change func(*facts)) {
	select {
	case r.changes <- change:
	case <-ctx.Done():
	}
}

// followPod follows the own Pod, and starts to follow what the Pod names once it has been seen.
func (r *run) followPod(ctx context.Context) {
	var once sync.Once
	r.follow(ctx, r.config.onPod(), r.pod(), func(pod *object) {
		if r.config.Terminating && pod.Metadata.DeletionTimestamp != "" {
			r.tell(ctx, func(f *facts) { f.terminating = true })
		}
		once.Do(func() { r.followAround(ctx, pod) })
	})
}

func (r *run) followAround(ctx context.Context, pod *object) {
	if r.config.Node && pod.Spec.NodeName != "" {
		node := apiclient.Path{Group: core, Resource: "nodes", Name: pod.Spec.NodeName}
		r.workers.Go(func() {
			r.follow(ctx, "Node", node, func(o *object) {
				r.tell(ctx, func(f *facts) { f.cordoned = o.Spec.Unschedulable })
			})
		})
	}
	if !r.config.Revision {
		return
	}
	set := pod.ownedBy("ReplicaSet")
	if set == "" {
		r.config.Logger.Warn("no ReplicaSet owns this Pod, so its revision is not known")
		return
	}
	r.workers.Go(func() { r.followRevision(ctx, r.path(apps, "replicasets", set)) })
}

func (r *run) pod() apiclient.Path { return r.path(core, "pods", r.config.Pod) }

func (r *run) path(group, resource, name string) apiclient.Path {
	return apiclient.Path{
		Group: group, Namespace: r.config.Namespace, Resource: resource, Name: name,
	}
}

// followRevision follows the Deployment that owns the own ReplicaSet. The ReplicaSet is asked again
// for each change: a rollback makes it the newest.
func (r *run) followRevision(ctx context.Context, set apiclient.Path) {
	var own *object
	look := func() error {
		o, err := apiclient.Get[object](ctx, r.api, set)
		if err == nil {
			own = o
		}
		return err
	}
	if r.insist(ctx, "Revision", look); own == nil {
		return
	}
	deployment := own.ownedBy("Deployment")
	if deployment == "" {
		r.config.Logger.Warn("no Deployment owns this Pod's ReplicaSet, so there are no revisions")
		return
	}
	r.follow(ctx, "Revision", r.path(apps, "deployments", deployment), func(d *object) {
		if revisionOf(own) != revisionOf(d) {
			r.insist(ctx, "Revision", look)
		}
		older, replaced := revisionOf(own) < revisionOf(d), complete(d)
		r.tell(ctx, func(f *facts) { f.older, f.replaced = older, replaced })
	})
}

// revisionOf is zero if there is none.
func revisionOf(o *object) int64 {
	n, _ := strconv.ParseInt(o.Metadata.Annotations[annotationRevision], 10, 64)
	return n
}

// complete reports whether all Pods of a Deployment but one are of its newest revision, and all
// are available.
func complete(d *object) bool {
	s := d.Status
	return s.ObservedGeneration >= d.Metadata.Generation &&
		s.UpdatedReplicas > 0 && s.Replicas == s.UpdatedReplicas+1 && s.AvailableReplicas == s.Replicas
}

// follow watches one object, for the options named, until ctx ends.
func (r *run) follow(ctx context.Context, options string, p apiclient.Path, see func(*object)) {
	for ctx.Err() == nil {
		r.insist(ctx, options, func() error {
			worked := false
			_, err := apiclient.Watch(ctx, r.api, p, func(o *object) (enough bool) {
				worked = true
				see(o)
				return false
			})
			if worked { // however it ended: a proxy may cut every watch
				return nil
			}
			return err
		})
		retry.Pause(ctx, pauseLeast/4) // a server may end watches at once
	}
}

// insist calls request until it succeeds or ctx ends. A failure that lasts is logged once, with the
// options that need the request.
func (r *run) insist(ctx context.Context, options string, request func() error) {
	told := false
	for failures := 0; ; failures++ {
		err := request()
		if err == nil || ctx.Err() != nil {
			return
		}
		if !told && (apiclient.Lasting(err) || failures+1 >= toldAfter) {
			told = true
			r.config.Logger.Warn("an option of rollout does not work, all else does",
				"option", options, "error", err)
		}
		retry.Pause(ctx, retry.After(ctx, failures, pauseLeast, pauseMost))
	}
}
