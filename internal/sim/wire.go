package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
)

// wire is the transport of a process that goes through the whole of client-go:
// its HTTP requests become messages, and their answers HTTP again.
type wire struct{ process *process }

func (w wire) client() (coordclient.LeasesGetter, error) {
	config := &rest.Config{Host: "http://sim", QPS: -1, ContentConfig: rest.ContentConfig{ContentType: runtime.ContentTypeJSON}}
	return coordclient.NewForConfigAndClient(config, &http.Client{Transport: w})
}

// RoundTrip is part of [http.RoundTripper].
func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	m, err := parse(r)
	if err != nil {
		return nil, err
	}
	a, err := w.process.ask(r.Context(), m)
	var status apierrors.APIStatus
	switch {
	case errors.As(err, &status):
		s := status.Status()
		s.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
		return response(r, int(s.Code), &s)
	case err != nil:
		return nil, err
	case a.watch != nil:
		return stream(r, a.watch), nil
	}
	switch o := a.object.(type) {
	case *coordv1.Lease:
		o.TypeMeta = metav1.TypeMeta{Kind: "Lease", APIVersion: "coordination.k8s.io/v1"}
	case *coordv1.LeaseList:
		o.TypeMeta = metav1.TypeMeta{Kind: "LeaseList", APIVersion: "coordination.k8s.io/v1"}
	}
	code := http.StatusOK
	if m.verb == "create" {
		code = http.StatusCreated
	}
	return response(r, code, a.object)
}

// parse reads a request for the one Lease there is.
func parse(r *http.Request) (*message, error) {
	params := r.URL.Query()
	m := &message{query: query{selector: params.Get("fieldSelector")}}
	switch {
	case !selects(m.selector):
		return nil, errUnused
	case r.Method == http.MethodGet && params.Get("watch") != "":
		m.verb, m.version = "watch", params.Get("resourceVersion")
		seconds, err := strconv.Atoi(params.Get("timeoutSeconds"))
		if err != nil {
			return nil, err
		}
		m.timeout = time.Duration(seconds) * time.Second
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/"+leaseName):
		m.verb = "get"
	case r.Method == http.MethodGet:
		m.verb, m.version, m.exact = "list", params.Get("resourceVersion"), params.Get("resourceVersionMatch") == string(metav1.ResourceVersionMatchExact)
	case r.Method == http.MethodPost:
		m.verb = "create"
	case r.Method == http.MethodPut:
		m.verb = "update"
	case r.Method == http.MethodPatch && r.Header.Get("Content-Type") == string(types.JSONPatchType):
		m.verb = "patch"
	default:
		return nil, errUnused
	}
	if r.Body == nil {
		return m, nil
	}
	defer r.Body.Close()
	if m.verb == "patch" {
		var err error
		m.patch, err = io.ReadAll(r.Body)
		return m, err
	}
	m.lease = &coordv1.Lease{}
	return m, json.NewDecoder(r.Body).Decode(m.lease)
}

func response(r *http.Request, code int, o any) (*http.Response, error) {
	record := httptest.NewRecorder()
	record.Header().Set("Content-Type", runtime.ContentTypeJSON)
	if s, ok := o.(*metav1.Status); ok && s.Details != nil && s.Details.RetryAfterSeconds > 0 {
		record.Header().Set("Retry-After", strconv.Itoa(int(s.Details.RetryAfterSeconds)))
	}
	record.WriteHeader(code)
	if err := json.NewEncoder(record).Encode(o); err != nil {
		return nil, err
	}
	out := record.Result()
	out.Request = r
	return out, nil
}

// stream is a watch as a response that goes on.
func stream(r *http.Request, events watch.Interface) *http.Response {
	reader, writer := io.Pipe()
	body := &streamBody{PipeReader: reader, closed: make(chan struct{})}
	go func() {
		defer events.Stop()
		for {
			select {
			case <-body.closed:
				return
			case <-r.Context().Done():
				_ = writer.CloseWithError(r.Context().Err())
				return
			case e, ok := <-events.ResultChan():
				if !ok {
					_ = writer.Close()
					return
				}
				if _, err := writer.Write(frame(e)); err != nil {
					return
				}
			}
		}
	}()
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {runtime.ContentTypeJSON}}, Body: body,
	}
}

type streamBody struct {
	*io.PipeReader
	closed chan struct{}
	done   bool
}

// Close is part of [io.Closer].
func (b *streamBody) Close() error {
	if !b.done {
		b.done = true
		close(b.closed)
	}
	return b.PipeReader.Close()
}

func frame(e watch.Event) []byte {
	switch o := e.Object.(type) {
	case *coordv1.Lease:
		o.TypeMeta = metav1.TypeMeta{Kind: "Lease", APIVersion: "coordination.k8s.io/v1"}
	case *metav1.Status:
		o.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	}
	var b bytes.Buffer
	_ = json.NewEncoder(&b).Encode(struct {
		Type   watch.EventType `json:"type"`
		Object runtime.Object  `json:"object"`
	}{e.Type, e.Object})
	return b.Bytes()
}
