package singleton

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/hotseat-go/hotseat/lease"
)

const envKubeconfig = clientcmd.RecommendedConfigPathEnvVar

// LeasesGetter is what [New] needs of a client. These fit:
//   - a [*Client], of [DefaultClient] or [NewClient];
//   - the CoordinationV1() of a client-go clientset.
type LeasesGetter[L lease.Client] interface {
	Leases(namespace string) L
}

// Client reaches the Leases of a cluster. It is made for electors:
//   - It has no rate limiter. An elector paces its own requests.
//   - It has no overall timeout. An elector gives each request its own.
//   - Over HTTP/2, pings find a dead connection within about 5 s, and the client opens another. The
//     connection to a slow server is kept.
//   - When the API server rejects the bearer token, the client reads the token file again.
//
// A Client is safe for concurrent use.
type Client struct {
	rest   *rest.RESTClient
	params runtime.ParameterCodec
}

// DefaultClient returns a [Client] with the credentials of the Pod's service account. Outside a
// cluster it uses the files that $KUBECONFIG lists. Its error says what is missing.
func DefaultClient() (*Client, error) {
	config, err := rest.InClusterConfig()
	switch {
	case errors.Is(err, rest.ErrNotInCluster):
		config, err = fromKubeconfig()
	case err != nil:
		err = fmt.Errorf(
			"in a cluster, but without a usable service account (automountServiceAccountToken?): %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("singleton: %w", err)
	}
	return NewClient(config)
}

// NewClient returns a [Client] for a copy of config. It ignores QPS, Burst, RateLimiter and
// Timeout. The client sends no pings over HTTP/1.1, and none if config has a Transport.
func NewClient(config *rest.Config) (*Client, error) {
	if config == nil {
		return nil, &lease.FieldError{Field: "config", Value: nil, Rule: "must not be nil"}
	}
	config = hardened(config)
	known := runtime.NewScheme()
	if err := coordv1.AddToScheme(known); err != nil {
		return nil, fmt.Errorf("singleton: %w", err)
	}
	metav1.AddToGroupVersion(known, schema.GroupVersion{Version: "v1"}) // Status, with errors
	config.GroupVersion, config.APIPath = &coordv1.SchemeGroupVersion, "/apis"
	config.NegotiatedSerializer = codecs{known}
	if config.ContentType == "" {
		config.ContentType = runtime.ContentTypeProtobuf
		config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	}
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("singleton: %w", err)
	}
	return &Client{rest: client, params: runtime.NewParameterCodec(known)}, nil
}

// RESTClient makes other requests over the connection of the Client. It is for packages around the
// elector, such as singleton/route. Give it absolute paths (AbsPath): a relative path is one in the
// API group of Leases.
func (c *Client) RESTClient() rest.Interface { return c.rest }

// Leases returns the client for the Leases of a namespace.
func (c *Client) Leases(namespace string) lease.Client { return leasesOf{c, namespace} }

// leasesOf makes the requests that client-go's generated client for Leases makes. The generated
// client would link the types of all API groups.
type leasesOf struct {
	*Client
	namespace string
}

func (l leasesOf) to(r *rest.Request) *rest.Request {
	return r.Namespace(l.namespace).Resource("leases")
}

func (l leasesOf) Create(
	ctx context.Context, in *coordv1.Lease, o metav1.CreateOptions,
) (*coordv1.Lease, error) {
	out := &coordv1.Lease{}
	return out, l.to(l.rest.Post()).VersionedParams(&o, l.params).Body(in).Do(ctx).Into(out)
}

func (l leasesOf) Update(
	ctx context.Context, in *coordv1.Lease, o metav1.UpdateOptions,
) (*coordv1.Lease, error) {
	out := &coordv1.Lease{}
	request := l.to(l.rest.Put()).Name(in.Name).VersionedParams(&o, l.params)
	return out, request.Body(in).Do(ctx).Into(out)
}

func (l leasesOf) Get(
	ctx context.Context, name string, o metav1.GetOptions,
) (*coordv1.Lease, error) {
	out := &coordv1.Lease{}
	return out, l.to(l.rest.Get()).Name(name).VersionedParams(&o, l.params).Do(ctx).Into(out)
}

func (l leasesOf) List(ctx context.Context, o metav1.ListOptions) (*coordv1.LeaseList, error) {
	out := &coordv1.LeaseList{}
	return out, l.to(l.rest.Get()).VersionedParams(&o, l.params).Do(ctx).Into(out)
}

func (l leasesOf) Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	o.Watch = true
	request := l.to(l.rest.Get()).VersionedParams(&o, l.params)
	if o.TimeoutSeconds != nil {
		request.Timeout(time.Duration(*o.TimeoutSeconds) * time.Second)
	}
	return request.Watch(ctx)
}

func (l leasesOf) Patch(
	ctx context.Context, name string, kind types.PatchType, patch []byte,
	o metav1.PatchOptions, sub ...string,
) (*coordv1.Lease, error) {
	out := &coordv1.Lease{}
	request := l.to(l.rest.Patch(kind)).Name(name).SubResource(sub...).VersionedParams(&o, l.params)
	return out, request.Body(patch).Do(ctx).Into(out)
}

// codecs speak protobuf and JSON. A Lease has only one version, so nothing is converted.
type codecs struct{ known *runtime.Scheme }

func (c codecs) SupportedMediaTypes() []runtime.SerializerInfo {
	text := json.NewSerializerWithOptions(
		json.DefaultMetaFactory, c.known, c.known, json.SerializerOptions{})
	return []runtime.SerializerInfo{
		{
			MediaType: runtime.ContentTypeJSON, MediaTypeType: "application", MediaTypeSubType: "json",
			EncodesAsText: true, Serializer: text,
			StreamSerializer: &runtime.StreamSerializerInfo{
				EncodesAsText: true, Serializer: text, Framer: json.Framer,
			},
		},
		{
			MediaType:        runtime.ContentTypeProtobuf,
			MediaTypeType:    "application",
			MediaTypeSubType: "vnd.kubernetes.protobuf",
			Serializer:       protobuf.NewSerializer(c.known, c.known),
			StreamSerializer: &runtime.StreamSerializerInfo{
				Serializer: protobuf.NewRawSerializer(c.known, c.known),
				Framer:     protobuf.LengthDelimitedFramer,
			},
		},
	}
}

func (c codecs) EncoderForVersion(
	encoder runtime.Encoder, version runtime.GroupVersioner,
) runtime.Encoder {
	return runtime.WithVersionEncoder{Version: version, Encoder: encoder, ObjectTyper: c.known}
}

func (c codecs) DecoderToVersion(
	decoder runtime.Decoder, _ runtime.GroupVersioner,
) runtime.Decoder {
	return runtime.WithoutVersionDecoder{Decoder: decoder}
}

// fromKubeconfig reads the files that $KUBECONFIG lists. It does not read the user's default file:
// a service should not follow whatever cluster a developer last looked at.
func fromKubeconfig() (*rest.Config, error) {
	files := filepath.SplitList(os.Getenv(envKubeconfig))
	if len(files) == 0 {
		return nil, fmt.Errorf("not in a cluster ($KUBERNETES_SERVICE_HOST is not set),"+
			" and $%s is not set: ~/.kube/config is read only if $%s names it", envKubeconfig, envKubeconfig)
	}
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("$%s: %w", envKubeconfig, err)
		}
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{Precedence: files}, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("$%s: %w", envKubeconfig, err)
	}
	return config, nil
}
