// Package apiclient makes requests for objects other than Leases: Pods and what is around them. It
// reads an object into a type of the caller's own, which has the fields that matter to the caller.
// The types of k8s.io/api/core/v1 would add 10 MB to a program.
package apiclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/lease"
)

// Client makes requests, each once: to try again is up to the caller. An error names the request.
// If the server refused it, the error wraps an [*apierrors.StatusError].
type Client struct {
	rest    rest.Interface
	timeout time.Duration // of a request that is no watch
}

// New returns a Client that makes its requests by from. If it cannot, the error is a
// [*lease.FieldError].
func New(from interface{ RESTClient() rest.Interface }, timeout time.Duration) (Client, error) {
	if isNil(from) || isNil(from.RESTClient()) {
		return Client{}, &lease.FieldError{
			Field: "client", Value: fmt.Sprintf("%T", from), Rule: "must have a RESTClient that is not nil",
		}
	}
	return Client{from.RESTClient(), timeout}, nil
}

func isNil(v any) bool {
	value := reflect.ValueOf(v)
	return !value.IsValid() || value.Kind() == reflect.Pointer && value.IsNil()
}

// Path says which object a request is about, or with an empty Name, which collection.
type Path struct {
	Group     string // such as "/api/v1"
	Namespace string // empty for a node, which has none
	Resource  string // such as "pods"
	Name      string
}

func (p Path) String() string {
	return p.Resource + " " + strings.Trim(p.Namespace+"/"+p.Name, "/")
}

func (p Path) segments() []string {
	if p.Namespace == "" {
		return []string{p.Group, p.Resource, p.Name}
	}
	return []string{p.Group, "namespaces", p.Namespace, p.Resource, p.Name}
}

// Get reads an object from the API server's store, not from a cache.
func Get[T any](ctx context.Context, c Client, p Path) (*T, error) {
	object := new(T)
	return object, c.do(ctx, "get", p, c.rest.Get(), object)
}

// List reads the objects that both selectors select, from the store too.
func List[T any](ctx context.Context, c Client, p Path, labels, fields string) ([]T, error) {
	var list struct {
		Items []T `json:"items"`
	}
	request := c.rest.Get().Param("labelSelector", labels).Param("fieldSelector", fields)
	err := c.do(ctx, "list", p, request, &list)
	return list.Items, err
}

// Create creates an object in a collection.
func (c Client) Create(ctx context.Context, p Path, object any) error {
	return c.send(ctx, "create", p, c.rest.Post().SetHeader("Content-Type", runtime.ContentTypeJSON), object)
}

// Patch changes an object by a patch of that kind.
func (c Client) Patch(ctx context.Context, p Path, kind types.PatchType, patch any) error {
	return c.send(ctx, "patch", p, c.rest.Patch(kind), patch)
}

func (c Client) send(ctx context.Context, verb string, p Path, r *rest.Request, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("%s %v: %w", verb, p, err)
	}
	return c.do(ctx, verb, p, r.Body(text), nil)
}

// do sends a request, and reads the answer into out if that is not nil.
func (c Client) do(ctx context.Context, verb string, p Path, r *rest.Request, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	result := on(r, p).Do(ctx)
	err := result.Error() // unlike Raw's, it has what the server said
	if err == nil && out != nil {
		body, _ := result.Raw() // with the same error
		if err = json.Unmarshal(body, out); err != nil {
			err = fmt.Errorf("answer: %w", err)
		}
	}
	if err != nil {
		return fmt.Errorf("%s %v: %w", verb, p, err)
	}
	return nil
}

func on(r *rest.Request, p Path) *rest.Request {
	return r.AbsPath(p.segments()...).SetHeader("Accept", runtime.ContentTypeJSON).MaxRetries(0)
}

// Lasting reports whether the server refused a request, and will refuse it again until a person
// does something.
func Lasting(err error) bool {
	refused, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok {
		return false
	}
	switch code := refused.ErrStatus.Code; code {
	case http.StatusUnauthorized, http.StatusConflict, http.StatusGone, http.StatusTooManyRequests:
		return false
	default:
		return code/100 == 4
	}
}
