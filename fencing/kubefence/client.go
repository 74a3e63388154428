package kubefence

import (
	"context"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// Client reads and writes the objects of one kind in one namespace. The typed clients of client-go
// are Clients: client.CoreV1().ConfigMaps("shop") is a Client[*corev1.ConfigMap]. For other clients
// there are [Dynamic] and [Funcs].
//
// Get must return a copy that the caller may change. It should read from the API server, not from a
// cache. A cache costs retries, never safety: each write names the version that was read, and a
// [Guard] admits no token until a write has confirmed the read. Update must reach the API server
// each time, even if nothing changed.
type Client[T metav1.Object] interface {
	Get(ctx context.Context, name string, o metav1.GetOptions) (T, error)
	Create(ctx context.Context, object T, o metav1.CreateOptions) (T, error)
	Update(ctx context.Context, object T, o metav1.UpdateOptions) (T, error)
	Delete(ctx context.Context, name string, o metav1.DeleteOptions) error
	Patch(
		ctx context.Context, name string, kind types.PatchType, data []byte,
		o metav1.PatchOptions, subresources ...string,
	) (T, error)
}

// Dynamic returns a [Client] that uses r, the dynamic client for one resource:
// dynamic.Interface.Resource(...).Namespace(...).
func Dynamic(r dynamic.ResourceInterface) Client[*unstructured.Unstructured] {
	return dynamicClient{r}
}

type dynamicClient struct{ r dynamic.ResourceInterface }

func (c dynamicClient) Get(
	ctx context.Context, name string, o metav1.GetOptions,
) (*unstructured.Unstructured, error) {
	return c.r.Get(ctx, name, o)
}

func (c dynamicClient) Create(
	ctx context.Context, u *unstructured.Unstructured, o metav1.CreateOptions,
) (*unstructured.Unstructured, error) {
	return c.r.Create(ctx, u, o)
}

func (c dynamicClient) Update(
	ctx context.Context, u *unstructured.Unstructured, o metav1.UpdateOptions,
) (*unstructured.Unstructured, error) {
	return c.r.Update(ctx, u, o)
}

func (c dynamicClient) Delete(ctx context.Context, name string, o metav1.DeleteOptions) error {
	return c.r.Delete(ctx, name, o)
}

func (c dynamicClient) Patch(
	ctx context.Context, name string, kind types.PatchType, data []byte,
	o metav1.PatchOptions, sub ...string,
) (*unstructured.Unstructured, error) {
	return c.r.Patch(ctx, name, kind, data, o, sub...)
}

// Funcs is a [Client] that calls functions. It is for clients with other methods, such as
// controller-runtime's:
//
//	kubefence.Funcs[*corev1.ConfigMap]{
//		GetFunc: func(ctx context.Context, name string) (*corev1.ConfigMap, error) {
//			object := &corev1.ConfigMap{}
//			key := client.ObjectKey{Namespace: "shop", Name: name}
//			return object, reader.Get(ctx, key, object) // reader is mgr.GetAPIReader()
//		},
//		UpdateFunc: func(ctx context.Context, object *corev1.ConfigMap) error {
//			return c.Update(ctx, object)
//		},
//		CreateFunc: func(ctx context.Context, object *corev1.ConfigMap) error {
//			return c.Create(ctx, object)
//		},
//		DeleteFunc: func(ctx context.Context, name string, p metav1.Preconditions) error {
//			meta := metav1.ObjectMeta{Namespace: "shop", Name: name}
//			object := &corev1.ConfigMap{ObjectMeta: meta}
//			return c.Delete(ctx, object, client.Preconditions(p))
//		},
//	}
//
// UpdateFunc and CreateFunc fill the object with what the server stored. UpdateFunc must send the
// object's UID and resourceVersion. DeleteFunc must send the preconditions. The functions must set
// the field manager themselves. If the function that a call needs is not set, the call returns an
// error.
type Funcs[T metav1.Object] struct {
	GetFunc    func(ctx context.Context, name string) (T, error)
	UpdateFunc func(ctx context.Context, object T) error
	CreateFunc func(ctx context.Context, object T) error
	DeleteFunc func(ctx context.Context, name string, p metav1.Preconditions) error
	// ApplyFunc is server-side apply.
	ApplyFunc func(ctx context.Context, name string, data []byte, o metav1.PatchOptions) (T, error)
}

// notSetError names the function that is missing.
type notSetError string

func (f notSetError) Error() string { return "kubefence: this Client has no " + string(f) }

// Get calls GetFunc.
func (f Funcs[T]) Get(ctx context.Context, name string, _ metav1.GetOptions) (none T, _ error) {
	if f.GetFunc == nil {
		return none, notSetError("GetFunc")
	}
	return f.GetFunc(ctx, name)
}

// Create calls CreateFunc.
func (f Funcs[T]) Create(
	ctx context.Context, object T, _ metav1.CreateOptions,
) (none T, _ error) {
	if f.CreateFunc == nil {
		return none, notSetError("CreateFunc")
	}
	return object, f.CreateFunc(ctx, object)
}

// Update calls UpdateFunc.
func (f Funcs[T]) Update(
	ctx context.Context, object T, _ metav1.UpdateOptions,
) (none T, _ error) {
	if f.UpdateFunc == nil {
		return none, notSetError("UpdateFunc")
	}
	return object, f.UpdateFunc(ctx, object)
}

// Delete calls DeleteFunc.
func (f Funcs[T]) Delete(ctx context.Context, name string, o metav1.DeleteOptions) error {
	if f.DeleteFunc == nil {
		return notSetError("DeleteFunc")
	}
	return f.DeleteFunc(ctx, name, *o.Preconditions)
}

// Patch calls ApplyFunc. The type [Objects] makes no other patches.
func (f Funcs[T]) Patch(
	ctx context.Context, name string, _ types.PatchType, data []byte,
	o metav1.PatchOptions, _ ...string,
) (none T, _ error) {
	if f.ApplyFunc == nil {
		return none, notSetError("ApplyFunc")
	}
	return f.ApplyFunc(ctx, name, data, o)
}

// SendOnce changes config so that its clients do not repeat a write by themselves. client-go
// repeats a write if the answer is a 5xx with Retry-After. The API server gives this answer also
// for writes whose outcome it does not know. The repetition may then conflict with its own first
// attempt. The type [Objects] takes this conflict for a write that did not happen, and writes once
// more. Stale writes are refused either way.
func SendOnce(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return sendOnce{next} })
}

type sendOnce struct{ next http.RoundTripper }

func (s sendOnce) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := s.next.RoundTrip(r)
	if err == nil && r.Method != http.MethodGet &&
		response.StatusCode >= http.StatusInternalServerError {
		response.Header.Del("Retry-After")
	}
	return response, err
}
