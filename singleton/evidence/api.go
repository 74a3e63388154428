package evidence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// Client is what [NewPods] needs of a client. These fit:
//   - a *singleton.Client, which may be the elector's own;
//   - the CoreV1() or CoordinationV1() of a client-go clientset.
type Client interface{ RESTClient() rest.Interface }

const (
	getTimeout = 10 * time.Second
	// A watch is opened anew after this time, and up to half as much again.
	watchTime = 5 * time.Minute
)

// api makes the requests for the Pods of a namespace.
type api struct {
	client    rest.Interface
	namespace string
}

func (a api) pods(name ...string) *rest.Request {
	path := append([]string{"/api/v1/namespaces", a.namespace, "pods"}, name...)
	return a.client.Get().AbsPath(path...).SetHeader("Accept", "application/json").MaxRetries(0)
}

// get reads a Pod from the API server's store, not from a cache.
func (a api) get(ctx context.Context, name string) (*pod, error) {
	ctx, cancel := context.WithTimeout(ctx, getTimeout)
	defer cancel()
	result := a.pods(name).Do(ctx)
	err := result.Error() // unlike Raw's, it has what the server said
	var text []byte
	if err == nil {
		text, err = result.Raw()
	}
	if err != nil {
		return nil, fmt.Errorf("get pod %s/%s: %w", a.namespace, name, err)
	}
	p := &pod{}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("get pod %s/%s: answer: %w", a.namespace, name, err)
	}
	return p, nil
}

// watch shows the Pod as it is now, if it exists, and each change, until enough returns true. Then
// it returns true. It returns false and no error if the server ends the watch.
func (a api) watch(ctx context.Context, name string, enough func(*pod) bool) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seconds := int(watchTime/time.Second) + rand.IntN(int(watchTime/time.Second)/2)
	// Without a resourceVersion the first event is the Pod as it is stored now.
	body, err := a.pods().Param("watch", "true").Param("fieldSelector", "metadata.name="+name).
		Param("timeoutSeconds", strconv.Itoa(seconds)).Stream(ctx)
	if err != nil {
		return false, fmt.Errorf("watch pod %s/%s: %w", a.namespace, name, err)
	}
	defer body.Close()
	for events := json.NewDecoder(body); ; {
		var e struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := events.Decode(&e); errors.Is(err, io.EOF) {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("watch pod %s/%s: %w", a.namespace, name, err)
		}
		switch e.Type {
		case "ADDED", "MODIFIED":
			p := &pod{}
			if err := json.Unmarshal(e.Object, p); err != nil {
				return false, fmt.Errorf("watch pod %s/%s: event: %w", a.namespace, name, err)
			}
			if enough(p) {
				return true, nil
			}
		case "ERROR":
			var s metav1.Status
			if err := json.Unmarshal(e.Object, &s); err != nil {
				return false, fmt.Errorf("watch pod %s/%s: event: %w", a.namespace, name, err)
			}
			return false, fmt.Errorf("watch pod %s/%s: %w", a.namespace, name,
				apierrors.FromObject(&s))
		}
	}
}

// backoff is the pause after that many failures in a row: from a quarter of a second to most, half
// of it random.
func backoff(failures int, most time.Duration) time.Duration {
	d := min(250*time.Millisecond<<min(failures, 16), most)
	return d/2 + rand.N(d/2)
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
