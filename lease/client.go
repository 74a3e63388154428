package lease

import (
	"context"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// Client sends requests for the Leases of one namespace. It has only the methods that hotseat
// needs. The LeaseInterface of client-go's clientset is a Client. A Client is safe for concurrent
// use, and each of its requests ends when the request's context does.
//
// It is a separate interface because client-go's package for it links the types of every API group.
// They add about 20 MB to a stripped binary.
type Client interface {
	Create(context.Context, *coordv1.Lease, metav1.CreateOptions) (*coordv1.Lease, error)
	Update(context.Context, *coordv1.Lease, metav1.UpdateOptions) (*coordv1.Lease, error)
	Get(context.Context, string, metav1.GetOptions) (*coordv1.Lease, error)
	List(context.Context, metav1.ListOptions) (*coordv1.LeaseList, error)
	Watch(context.Context, metav1.ListOptions) (watch.Interface, error)
	Patch(
		context.Context, string, types.PatchType, []byte, metav1.PatchOptions, ...string,
	) (*coordv1.Lease, error)
}
