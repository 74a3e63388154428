package evidence

import (
	"time"

	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/apiclient"
)

// Client is what [NewPods] needs of a client. These fit:
//   - a *singleton.Client, which may be the elector's own;
//   - the CoreV1() or CoordinationV1() of a client-go clientset.
type Client interface{ RESTClient() rest.Interface }

const (
	answerWithin = 10 * time.Second // of a request that is no watch

	// leastPause is the first between attempts.
	leastPause = 250 * time.Millisecond
)

// api makes the requests for the Pods of a namespace.
type api struct {
	apiclient.Client
	namespace string
}

func (a api) path(name string) apiclient.Path {
	return apiclient.Path{Group: "/api/v1", Namespace: a.namespace, Resource: "pods", Name: name}
}
