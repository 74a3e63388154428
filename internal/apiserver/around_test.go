package apiserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// TestAround: what packages around the elector need of Pods, Services and EndpointSlices.
func TestAround(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		config, err := w.config("a")
		require.NoError(w, err)
		client, err := kubernetes.NewForConfig(config)
		require.NoError(w, err)
		ctx := w.patient()

		pods := client.CoreV1().Pods(ns)
		for name, phase := range map[string]corev1.PodPhase{"one": corev1.PodRunning, "two": corev1.PodFailed} {
			_, err := pods.Create(ctx, &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "invoicer"}},
				Status:     corev1.PodStatus{Phase: phase},
			}, metav1.CreateOptions{})
			require.NoError(w, err)
		}
		list, err := pods.List(ctx, metav1.ListOptions{
			LabelSelector: "app=invoicer", FieldSelector: "status.phase!=Failed,status.phase!=Succeeded",
		})
		require.NoError(w, err)
		require.Len(w, list.Items, 1)
		require.Equal(w, "one", list.Items[0].Name)
		_, err = pods.List(ctx, metav1.ListOptions{FieldSelector: "spec.hostname=x"})
		require.True(w, apierrors.IsBadRequest(err), "%v", err)
		patch := func(kind types.PatchType, text string) error {
			_, err := pods.Patch(ctx, "one", kind, []byte(text), metav1.PatchOptions{})
			return err
		}
		require.True(w, apierrors.IsConflict(patch(types.MergePatchType, `{"metadata":{"resourceVersion":"1","labels":{"a":"b"}}}`)))
		require.True(w, apierrors.IsInvalid(patch(types.MergePatchType, `{"metadata":{"uid":"other","labels":{"a":"b"}}}`)))
		require.True(w, apierrors.IsInvalid(patch(types.JSONPatchType,
			`[{"op":"test","path":"/metadata/labels/app","value":"other"},{"op":"remove","path":"/metadata/labels/app"}]`)))
		require.True(w, apierrors.IsInvalid(patch(types.MergePatchType, `{"metadata":{"labels":{"a":"b c"}}}`)))
		require.NoError(w, patch(types.MergePatchType, `{"metadata":{"resourceVersion":"`+list.Items[0].ResourceVersion+`","labels":{"a":"b"}}}`))

		_, err = client.CoreV1().Services(ns).Create(ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "1"}}, metav1.CreateOptions{})
		require.True(w, apierrors.IsInvalid(err), "%v", err)

		slices := client.DiscoveryV1().EndpointSlices(ns)
		slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: "s"}, AddressType: discoveryv1.AddressTypeIPv4}
		slice, err = slices.Create(ctx, slice, metav1.CreateOptions{})
		require.NoError(w, err)
		for addresses, ok := range map[string]bool{"10.0.0.1": true, "fd00::1": false, "x": false, "": false} {
			slice.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{addresses}}}
			if addresses == "" {
				slice.Endpoints[0].Addresses = nil
			}
			_, err := slices.Update(ctx, slice, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
			require.Equal(w, !ok, apierrors.IsInvalid(err), "%s: %v", addresses, err)
		}
		slice.AddressType, slice.Endpoints = discoveryv1.AddressTypeIPv6, nil
		_, err = slices.Update(ctx, slice, metav1.UpdateOptions{})
		require.True(w, apierrors.IsInvalid(err), "%v", err)
	})
}
