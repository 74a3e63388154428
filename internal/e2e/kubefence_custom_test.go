//go:build unix

package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/kubefence"
)

var widgets = schema.GroupVersionResource{Group: "hotseat.example.com", Version: "v1", Resource: "widgets"}

// serveWidgets defines a custom resource with a status subresource.
func (f fenced) serveWidgets(client dynamic.Interface) dynamic.ResourceInterface {
	definitions := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	open := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": widgets.GroupResource().String()},
		"spec": map[string]any{
			"group": widgets.Group, "scope": "Namespaced",
			"names": map[string]any{"plural": "widgets", "singular": "widget", "kind": "Widget"},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "properties": map[string]any{"spec": open, "status": open}}},
			}},
		},
	}}
	_, err := definitions.Create(f.t.Context(), definition, metav1.CreateOptions{})
	require.NoError(f.t, err)
	f.t.Cleanup(func() { _ = definitions.Delete(context.Background(), definition.GetName(), metav1.DeleteOptions{}) })
	served := client.Resource(widgets).Namespace(f.namespace)
	require.Eventually(f.t, func() bool {
		_, err := served.List(f.t.Context(), metav1.ListOptions{})
		return err == nil
	}, endurance, 50*time.Millisecond)
	return served
}

// TestKubefenceCustomResource: untyped objects, and their status, which the server
// keeps apart from the annotations.
func TestKubefenceCustomResource(t *testing.T) {
	var served dynamic.ResourceInterface
	police(t, func(f fenced, p *kubefence.Policy) {
		client, err := dynamic.NewForConfig(f.AdminConfig())
		require.NoError(t, err)
		served = f.serveWidgets(client)
		p.Resources = append(p.Resources, schema.GroupResource{Group: widgets.Group, Resource: widgets.Resource})
	})
	objects := newObjects(t, kubefence.Dynamic(served))
	_, err := objects.Create(t.Context(), first, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": widgets.GroupVersion().String(), "kind": "Widget", "metadata": map[string]any{"name": "w"}, "spec": map[string]any{"size": int64(1)},
	}})
	require.NoError(t, err)

	status := func(token fencing.Token, phase string, before func()) error {
		return objects.Stamped(t.Context(), token, "w", func(ctx context.Context, u *unstructured.Unstructured) error {
			before()
			if err := unstructured.SetNestedField(u.Object, phase, "status", "phase"); err != nil {
				return err
			}
			_, err := served.UpdateStatus(ctx, u, metav1.UpdateOptions{})
			return err
		})
	}
	later := func() {
		_, err := objects.Update(t.Context(), second, "w", func(u *unstructured.Unstructured) error {
			return unstructured.SetNestedField(u.Object, int64(2), "spec", "size")
		})
		require.NoError(t, err)
	}
	holds := func(size int64, phase string, mark fencing.Token) {
		t.Helper()
		w, err := served.Get(t.Context(), "w", metav1.GetOptions{})
		require.NoError(t, err)
		got, err := kubefence.MarkOf(w)
		require.NoError(t, err)
		require.Equal(t, mark, got)
		require.Equal(t, map[string]any{"size": size}, w.Object["spec"])
		require.Equal(t, map[string]any{"phase": phase}, w.Object["status"])
	}
	require.NoError(t, status(first, "Ready", func() {}))
	holds(1, "Ready", first)
	stale(t, status(first, "Stale", later))
	holds(2, "Ready", second)
	require.NoError(t, status(second, "Done", func() {}))

	// By the bare client: the main resource is guarded. A status update is not, because the server drops the stale token from it.
	patch := func(sub ...string) error {
		_, err := served.Patch(t.Context(), "w", types.MergePatchType,
			[]byte(`{"metadata":{"annotations":{"`+kubefence.Annotation+`":"`+first.String()+`"}},"spec":{"size":9},"status":{"phase":"Stale"}}`), metav1.PatchOptions{}, sub...)
		return err
	}
	refusedAs(t, patch(), "stale token")
	holds(2, "Done", second)
	require.NoError(t, patch("status"))
	holds(2, "Stale", second)
}
