package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
)

// lab is an API server with one Pod in a bubble. It shows what it is told to: real ones are in
// internal/e2e.
type lab struct {
	*testing.T
	pods *Pods
	logs *bytes.Buffer

	mu       sync.Mutex
	pod      string              // as JSON; "": there is none
	watches  map[chan string]int // each with how many Pods it has been shown
	refuse   map[string]int      // status codes of answers, by verb
	requests []string            // their verbs and what they are about

	begin time.Time // of process 1
	calls []*call   // that the test's own goroutine has made
}

func (l *lab) stop() {
	for _, c := range l.calls {
		c.stop()
		<-c.done
	}
}

// inLab plays with Pods whose process 1 started just now.
func inLab(t *testing.T, play func(l *lab), change ...func(*Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{T: t, watches: map[chan string]int{}, refuse: map[string]int{}, logs: &bytes.Buffer{}, begin: time.Now()}
		defer l.stop() // in the bubble, also if the test fails
		l.pods = l.evidence(change...)
		play(l)
	})
}

// evidence is for another process of the same Pod, or the first.
func (l *lab) evidence(change ...func(*Config)) *Pods {
	c := Config{
		Namespace: "shop", Pod: "invoicer-0", Logger: slog.New(slog.NewTextHandler(l.logs, nil)),
	}
	for _, f := range change {
		f(&c)
	}
	p, err := newPods(l, c, host{l.read})
	require.NoError(l, err)
	return p
}

// read has the files of a container whose process 1 started at l.begin.
func (l *lab) read(path string) ([]byte, error) {
	const before = 100000 * time.Second // the machine was up then
	inTicks := func(d time.Duration) string { return strconv.Itoa(int(d * ticks / time.Second)) }
	return hostOf(map[string]string{
		"/proc/uptime": fmt.Sprintf("%.2f 1.00", (before + time.Since(l.begin)).Seconds()),
		"/proc/1/stat": statOf("invoicer", inTicks(before)),
	}).read(path)
}

// RESTClient makes l a Client.
func (l *lab) RESTClient() rest.Interface {
	known := runtime.NewScheme()
	metav1.AddToGroupVersion(known, schema.GroupVersion{Version: "v1"})
	client, err := rest.RESTClientFor(&rest.Config{
		Host: "http://apiserver", APIPath: "/api", Transport: l, QPS: -1,
		ContentConfig: rest.ContentConfig{
			GroupVersion:         &schema.GroupVersion{Version: "v1"},
			NegotiatedSerializer: serializer.NewCodecFactory(known).WithoutConversion(),
		},
	})
	require.NoError(l, err)
	return client
}

func answer(r *http.Request, code int, body io.ReadCloser) *http.Response {
	return &http.Response{
		StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: body, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

func failure(r *http.Request, code int) *http.Response {
	reason := map[int]metav1.StatusReason{403: metav1.StatusReasonForbidden, 404: metav1.StatusReasonNotFound}[code]
	text, _ := json.Marshal(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Reason: reason, Code: int32(code), Message: fmt.Sprintf("as told: %d", code),
	})
	return answer(r, code, io.NopCloser(bytes.NewReader(text)))
}

// RoundTrip is the API server.
func (l *lab) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, "/api/v1/namespaces/shop/pods")
	verb := "get"
	if r.URL.Query().Get("watch") != "" {
		verb, name = "watch", r.URL.Query().Get("fieldSelector")
	}
	l.requests = append(l.requests, strings.TrimSpace(verb+" "+name+r.URL.Query().Get("resourceVersion")))
	switch code := l.refuse[verb]; {
	case code < 0:
		return nil, io.ErrUnexpectedEOF
	case code > 0:
		return failure(r, code), nil
	case verb == "watch":
		return answer(r, 200, l.watch(r.Context())), nil
	case l.pod == "":
		return failure(r, 404), nil
	}
	return answer(r, 200, io.NopCloser(strings.NewReader(l.pod))), nil
}

// watch is a body that shows the Pod, and what it becomes.
func (l *lab) watch(ctx context.Context) io.ReadCloser {
	events := make(chan string, 100)
	if l.pod != "" {
		events <- event("ADDED", l.pod)
	}
	l.watches[events] = 0
	out, in := io.Pipe()
	go func() {
		defer func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			delete(l.watches, events)
		}()
		for {
			select {
			case text, more := <-events:
				if !more {
					_ = in.Close()
					return
				}
				if _, err := io.WriteString(in, text); err != nil {
					return
				}
			case <-ctx.Done():
				_ = in.CloseWithError(ctx.Err())
				return
			}
		}
	}()
	return out
}

func event(kind, object string) string {
	return fmt.Sprintf(`{"type": %q, "object": %s}`, kind, object)
}

// tell sends all watches something.
func (l *lab) tell(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for events := range l.watches {
		events <- text
	}
}

// shows sets the Pod, and tells the watches; "" deletes it.
func (l *lab) shows(pod string) {
	l.mu.Lock()
	before := l.pod
	l.pod = pod
	l.mu.Unlock()
	switch {
	case pod == "":
		l.tell(event("DELETED", before))
	case before == "":
		l.tell(event("ADDED", pod))
	default:
		l.tell(event("MODIFIED", pod))
	}
	synctest.Wait()
}

// ends ends all watches, as a server does after a time.
func (l *lab) ends() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for events := range l.watches {
		close(events)
		delete(l.watches, events)
	}
}

func (l *lab) refuses(verb string, code int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse[verb] = code
}

// asked is what was requested since the last time.
func (l *lab) asked() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	asked := l.requests
	l.requests = nil
	return asked
}

func (l *lab) open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.watches)
}

// call is a method that runs.
type call struct {
	stop context.CancelFunc
	done chan struct{}
	text string
	err  error
}

func (l *lab) call(f func(ctx context.Context) (string, error)) *call {
	ctx, stop := context.WithCancel(context.Background())
	c := &call{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.text, c.err = f(ctx)
	}()
	l.calls = append(l.calls, c)
	synctest.Wait()
	return c
}

func (l *lab) await(p *Pods, text string) *call {
	return l.call(func(ctx context.Context) (string, error) { return "", p.Await(ctx, text) })
}

func (c *call) returned() bool {
	synctest.Wait()
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
