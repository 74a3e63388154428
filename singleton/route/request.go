package route

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// requestTimeout bounds one request. A slow server has to answer within it. What lands later does
// no harm, because each write is conditional.
const requestTimeout = 5 * time.Second

// metadata is what this package reads of an object's. The objects have types of our own, because
// those of k8s.io/api/core/v1 add 10 MB to a program.
type metadata struct {
	Name            string            `json:"name"`
	UID             types.UID         `json:"uid"`
	ResourceVersion string            `json:"resourceVersion"`
	Labels          map[string]string `json:"labels"`
	Annotations     map[string]string `json:"annotations"`
}

// api makes requests in one namespace.
type api struct {
	client    Client
	namespace string
}

// path of a resource, or of one object, in a group such as "/api/v1".
func (a api) path(group, resource string, name ...string) []string {
	return append([]string{group, "namespaces", a.namespace, resource}, name...)
}

// do sends a request, and reads the answer into out if that is not nil.
func (a api) do(ctx context.Context, request *rest.Request, out any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	result := request.SetHeader("Accept", runtime.ContentTypeJSON).Do(ctx)
	if err := result.Error(); err != nil { // unlike Raw's error, it has what the server said
		return err
	}
	body, err := result.Raw()
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("cannot read the answer: %w", err)
	}
	return nil
}

func (a api) get(path []string) *rest.Request {
	return a.client.RESTClient().Get().AbsPath(path...)
}

func (a api) post(path []string, body any) (*rest.Request, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request := a.client.RESTClient().Post().AbsPath(path...)
	return request.SetHeader("Content-Type", runtime.ContentTypeJSON).Body(text), nil
}

func (a api) patch(path []string, kind types.PatchType, body any) (*rest.Request, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return a.client.RESTClient().Patch(kind).AbsPath(path...).Body(text), nil
}

// step of a patch by RFC 6902.
type step struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}
