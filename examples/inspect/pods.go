package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// pod reads a Pod.
func (c *cluster) pod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	asked, cancel := c.asked(ctx)
	defer cancel()
	pod, err := c.client.CoreV1().Pods(namespace).Get(asked, name, metav1.GetOptions{})
	w := what{verb: "get", resource: "pods", namespace: namespace, name: name}
	return pod, c.failed(ctx, w, err)
}

// pods lists the Pods that a selector of labels chooses.
func (c *cluster) pods(ctx context.Context, namespace, selector string) ([]corev1.Pod, error) {
	asked, cancel := c.asked(ctx)
	defer cancel()
	o := metav1.ListOptions{LabelSelector: selector}
	list, err := c.client.CoreV1().Pods(namespace).List(asked, o)
	if err != nil {
		return nil, c.failed(ctx, what{verb: "list", resource: "pods", namespace: namespace}, err)
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return list.Items, nil
}

// replicas lists the Pods that run the same service as a Pod. They have its labels, but for those
// that differ between the revisions and the members of one workload.
func (c *cluster) replicas(ctx context.Context, of *corev1.Pod) ([]corev1.Pod, error) {
	set := labels.Set{}
	own := []string{
		"pod-template-hash", "controller-revision-hash", "statefulset.kubernetes.io/pod-name",
		"apps.kubernetes.io/pod-index",
	}
	for key, value := range of.Labels {
		// A role label says who is active, and so is not the others'.
		if !slices.Contains(own, key) && value != "active" {
			set[key] = value
		}
	}
	if len(set) == 0 {
		return nil, fmt.Errorf("the Pod %s has no labels that its replicas share", of.Name)
	}
	return c.pods(ctx, of.Namespace, set.String())
}

// ready reports whether the kubelet says that a Pod is ready, and nobody has deleted it.
func ready(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions,
		func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
}

// inspectPods adds what the holders' Pods show. What may not be read is told once.
func (c *call) inspectPods(ctx context.Context, r *report) {
	for i := range r.Leases {
		e := &r.Leases[i]
		if e.Holder == nil {
			continue
		}
		pod, err := c.pod(ctx, e.Namespace, e.Holder.Pod)
		switch {
		case apierrors.IsNotFound(err):
			e.note("there is no Pod %s: the holder runs elsewhere, or its Pod is gone", e.Holder.Pod)
		case err != nil:
			r.Notes = append(r.Notes, "Pods, and so replicas, are not shown: "+err.Error())
			return
		default:
			e.judgePod(pod)
		}
	}
}

// judgePod says what the holder's Pod shows.
func (e *entry) judgePod(pod *corev1.Pod) {
	restarts := int32(0)
	for _, container := range pod.Status.ContainerStatuses {
		restarts += container.RestartCount
	}
	e.note("its Pod is %s on node %s; containers restarted %d times", pod.Status.Phase,
		dash(pod.Spec.NodeName), restarts)
	switch {
	case pod.DeletionTimestamp != nil:
		e.note("its Pod is being deleted: it drains, and then hands over")
	case !ready(pod):
		e.problem("the holder's Pod %s is not ready: look at 'kubectl describe pod %[1]s -n %s'", pod.Name,
			pod.Namespace)
	}
}
