package rollout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"k8s.io/client-go/rest"
)

const (
	answerWithin = 10 * time.Second // of a request that is no watch
	watchFor     = 5 * time.Minute
	mostAnswer   = 8 << 20 // bytes of one object, of which etcd holds less
)

// object is what this package reads of a Pod, a ReplicaSet, a Deployment or a node.
type object struct {
	Metadata struct {
		Name              string            `json:"name"`
		UID               string            `json:"uid"`
		Generation        int64             `json:"generation"`
		DeletionTimestamp string            `json:"deletionTimestamp"`
		Annotations       map[string]string `json:"annotations"`
		OwnerReferences   []owner           `json:"ownerReferences"`
	} `json:"metadata"`
	Spec struct {
		NodeName      string `json:"nodeName"`
		Unschedulable bool   `json:"unschedulable"`
	} `json:"spec"`
	Status struct {
		ObservedGeneration int64 `json:"observedGeneration"`
		Replicas           int64 `json:"replicas"`
		UpdatedReplicas    int64 `json:"updatedReplicas"`
		AvailableReplicas  int64 `json:"availableReplicas"`
	} `json:"status"`
}

type owner struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Controller bool   `json:"controller"`
}

// ownedBy is the name of the controller of that kind; empty if there is none.
func (o *object) ownedBy(kind string) string {
	for _, owner := range o.Metadata.OwnerReferences {
		if owner.Controller && owner.Kind == kind {
			return owner.Name
		}
	}
	return ""
}

// place is where an object is.
type place struct{ prefix, kind, name string }

func (p place) String() string { return p.kind + " " + p.name }

// api makes the requests. They ask for the fields above only, and so need no types of Kubernetes.
type api struct {
	client *http.Client
	base   *url.URL
}

func newAPI(config *rest.Config) (*api, error) {
	config = rest.CopyConfig(config)
	config.Timeout = 0
	config.ContentType, config.AcceptContentTypes = "", ""
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("rollout: %w", err)
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("rollout: %w", err)
	}
	return &api{client: client, base: base}, nil
}

// statusError is an answer that is no success.
type statusError struct {
	code int
	verb string
	of   place
	text string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s %v: HTTP %d: %s", e.verb, e.of, e.code, e.text)
}

// lasting reports whether a request will fail again until a person does something.
func lasting(err error) bool {
	status, ok := errors.AsType[*statusError](err)
	return ok && status.code >= 400 && status.code < 500 &&
		status.code != http.StatusUnauthorized && status.code != http.StatusTooManyRequests &&
		status.code != http.StatusConflict && status.code != http.StatusGone
}

func (a *api) do(
	ctx context.Context, verb string, p place, query url.Values, body []byte,
) (*http.Response, error) {
	method, segments := http.MethodGet, []string{p.prefix, p.kind}
	if verb == "patch" {
		method = http.MethodPatch
	}
	if verb != "watch" {
		segments = append(segments, p.name)
	}
	at := a.base.JoinPath(segments...)
	at.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w", verb, p, err)
	}
	request.Header.Set("Accept", "application/json")
	if verb == "patch" {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}
	response, err := a.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w", verb, p, err)
	}
	if response.StatusCode/100 == 2 {
		return response, nil
	}
	defer response.Body.Close()
	var status struct{ Message string }
	_ = json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&status)
	return nil, &statusError{response.StatusCode, verb, p, status.Message}
}

// ask gets or patches one object.
func (a *api) ask(ctx context.Context, verb string, p place, body []byte) (*object, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	response, err := a.do(ctx, verb, p, nil, body)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var o object
	if err := json.NewDecoder(io.LimitReader(response.Body, mostAnswer)).Decode(&o); err != nil {
		return nil, fmt.Errorf("%s %v: %w", verb, p, err)
	}
	return &o, nil
}

// watch hands each state of one object to see, the present one first, until the server ends the
// watch or ctx does.
func (a *api) watch(ctx context.Context, p place, see func(*object)) error {
	ctx, cancel := context.WithTimeout(ctx, watchFor+answerWithin)
	defer cancel()
	response, err := a.do(ctx, "watch", p, url.Values{
		"watch":          {"true"},
		"fieldSelector":  {"metadata.name=" + p.name},
		"timeoutSeconds": {strconv.Itoa(int(watchFor / time.Second))},
	}, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	for events := json.NewDecoder(response.Body); ; {
		var event struct {
			Type   string
			Object json.RawMessage
		}
		switch err := events.Decode(&event); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("watch %v: %w", p, err)
		case event.Type != "ADDED" && event.Type != "MODIFIED":
			continue // it ends soon, or the object is gone
		}
		var o object
		if err := json.Unmarshal(event.Object, &o); err != nil {
			return fmt.Errorf("watch %v: %w", p, err)
		}
		if o.Metadata.Name == p.name {
			see(&o)
		}
	}
}
