package main

import (
	"context"
	"errors"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/scenario"
)

// floor is what no elector on a Lease can beat: a write that releases, the watch
// event of it, a write that acquires. It is no elector: it does nothing else, not
// even renew, and gives up at the first error.
func floor() elector { return elector{name: "floor", stand: standFloor} }

func standFloor(ctx context.Context, r replica) error {
	client, err := kubernetes.NewForConfig(r.config)
	if err != nil {
		return err
	}
	leases := client.CoordinationV1().Leases(scenario.Namespace)
	lease, err := awaitUnheld(ctx, leases, r.lease)
	if lease == nil {
		return err
	}
	if lease, err = writeHolder(ctx, leases, lease, r.identity); err != nil {
		return err
	}
	if err := r.work(ctx, func() bool { return true }, 0); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	_, err = writeHolder(context.WithoutCancel(ctx), leases, lease, "")
	return err
}

// awaitUnheld returns the Lease once nobody holds it, or nil when ctx ends.
func awaitUnheld(ctx context.Context, leases coordclient.LeaseInterface, name string) (*coordv1.Lease, error) {
	selector := fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	list, err := leases.List(ctx, metav1.ListOptions{FieldSelector: selector})
	if err != nil {
		return nil, err
	}
	for i := range list.Items {
		if holder(&list.Items[i]) == "" {
			return &list.Items[i], nil
		}
	}
	w, err := leases.Watch(ctx, metav1.ListOptions{FieldSelector: selector, ResourceVersion: list.ResourceVersion})
	if err != nil {
		return nil, err
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		if lease, ok := event.Object.(*coordv1.Lease); ok && holder(lease) == "" {
			return lease, nil
		}
	}
	if ctx.Err() != nil {
		return nil, nil
	}
	return nil, errors.New("the watch ended")
}

func writeHolder(ctx context.Context, leases coordclient.LeaseInterface, lease *coordv1.Lease, holder string) (*coordv1.Lease, error) {
	lease.Spec.HolderIdentity = &holder
	return leases.Update(ctx, lease, metav1.UpdateOptions{})
}
