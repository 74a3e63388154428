package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/hotseat-go/hotseat/lease"
)

// scope is which Leases a command is about. An empty namespace is all of them, and an empty name is
// every Lease.
type scope struct{ namespace, name string }

func (s scope) options(version string) metav1.ListOptions {
	o := metav1.ListOptions{ResourceVersion: version}
	if s.name != "" { // so that a Role that names the Lease is enough
		o.FieldSelector = fields.OneTermEqualSelector("metadata.name", s.name).String()
	}
	return o
}

func (s scope) of(verb string) what {
	return what{verb: verb, group: coordv1.GroupName, resource: "leases", namespace: s.namespace, name: s.name}
}

// list reads the Leases from the API server's store or cache.
func (c *cluster) list(ctx context.Context, s scope) (*coordv1.LeaseList, error) {
	asked, cancel := c.asked(ctx)
	defer cancel()
	list, err := c.client.CoordinationV1().Leases(s.namespace).List(asked, s.options(""))
	return list, c.failed(ctx, s.of("list"), err)
}

// lease reads the one Lease of a scope.
func (c *cluster) lease(ctx context.Context, s scope) (lease.Record, error) {
	list, err := c.list(ctx, s)
	switch {
	case err != nil:
		return lease.Record{}, err
	case len(list.Items) == 0:
		return lease.Record{}, c.failed(ctx, s.of("list"), apierrors.NewNotFound(coordv1.Resource("leases"), s.name))
	}
	return lease.RecordOf(&list.Items[0]), nil
}

// sink takes what follow sees. Each method returns whether to go on.
type sink interface {
	// listed gets what a List shows. What happened since the last observation is not known.
	listed([]coordv1.Lease) bool
	// changed gets the Lease after a change, or as it was deleted.
	changed(l *coordv1.Lease, deleted bool) bool
	// failed gets an error after which follow tries again.
	failed(error) bool
}

const (
	firstPause   = 250 * time.Millisecond
	longestPause = 5 * time.Second
)

// errMissed: a watch cannot tell what happened. A List can.
var errMissed = errors.New("the watch ended")

// follow lists and watches until the sink has enough, or ctx ends, which is no error. It lists again
// when a watch ends. The error is that of the first List, or one that only a person can mend.
func (c *cluster) follow(ctx context.Context, s scope, to sink) error {
	pause, began := firstPause, false
	for {
		list, err := c.list(ctx, s)
		if err == nil {
			began, pause = true, firstPause
			if !to.listed(list.Items) {
				return nil
			}
			var done bool
			if done, err = c.watch(ctx, s, list.ResourceVersion, to); done {
				return nil
			}
		}
		forbidden := apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
		switch {
		case ctx.Err() != nil:
			return nil
		case !began, forbidden:
			return err
		case !errors.Is(err, errMissed) && !to.failed(err):
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		pause = min(2*pause, longestPause)
	}
}

// watch tells the sink of changes after a version. It is done when the sink has enough.
func (c *cluster) watch(ctx context.Context, s scope, version string, to sink) (done bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opening := time.AfterFunc(c.reach.timeout, cancel)
	w, err := c.client.CoordinationV1().Leases(s.namespace).Watch(ctx, s.options(version))
	if !opening.Stop() && err != nil {
		err = context.DeadlineExceeded
	}
	if err != nil {
		return false, c.failed(context.WithoutCancel(ctx), s.of("watch"), err)
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case e, open := <-w.ResultChan():
			l, isLease := e.Object.(*coordv1.Lease)
			switch {
			case !open, e.Type == watch.Error:
				return false, errMissed
			case e.Type == watch.Bookmark || !isLease:
			case !to.changed(l, e.Type == watch.Deleted):
				return true, nil
			}
		}
	}
}

// operation is one of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

func annotationPath(key string) string {
	return "/metadata/annotations/" + strings.ReplaceAll(key, "/", "~1")
}

// unchanged tests that the Lease still has the term of r, so that nothing is written over another. A
// Lease that nobody holds is not renewed, so that its version can be tested.
func unchanged(r lease.Record) []operation {
	tests := []operation{{"test", "/metadata/uid", r.UID()}}
	if r.Holder() == "" {
		return append(tests, operation{"test", "/metadata/resourceVersion", r.ResourceVersion()})
	}
	return append(tests, operation{"test", "/spec/holderIdentity", r.Holder()},
		operation{"test", annotationPath(lease.AnnotationTerm), r.Term()})
}

// errMoved: the Lease has changed hands since it was read.
var errMoved = errors.New("the Lease has changed since it was read: look again")

// patch writes operations to the Lease of a scope.
func (c *cluster) patch(ctx context.Context, s scope, operations []operation) error {
	body, err := json.Marshal(operations)
	if err != nil {
		return fmt.Errorf("write the patch: %w", err)
	}
	asked, cancel := c.asked(ctx)
	defer cancel()
	_, err = c.client.CoordinationV1().Leases(s.namespace).Patch(asked, s.name, types.JSONPatchType, body,
		metav1.PatchOptions{})
	if apierrors.IsInvalid(err) || apierrors.IsConflict(err) { // a test of the patch failed
		return fmt.Errorf("%w (%w)", errMoved, err)
	}
	return c.failed(ctx, s.of("patch"), err)
}
