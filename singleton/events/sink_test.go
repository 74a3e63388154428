package events_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/events"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

var (
	_ record.EventSink           = (*events.Sink)(nil)
	_ events.Recorder            = record.EventRecorder(nil)
	_ events.Recorder            = resourcelock.EventRecorder(nil)
	_ resourcelock.EventRecorder = events.Recorder(nil)
)

func TestMain(m *testing.M) {
	klog.SetLogger(klog.Logger{}) // the broadcaster tells of failed requests
	m.Run()
}

// server answers requests for Events.
type server struct {
	mu       sync.Mutex
	requests []string
	answer   func(*http.Request, []byte) (int, string)
	silent   bool // it never answers
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path+" "+r.Header.Get("Content-Type")+" "+string(body))
	s.mu.Unlock()
	if s.silent {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	status, text := s.answer(r, body)
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(text)), Request: r,
	}, nil
}

func echo(_ *http.Request, body []byte) (int, string) {
	return http.StatusCreated, string(bytes.TrimSpace(body))
}

func forbidden(*http.Request, []byte) (int, string) {
	return http.StatusForbidden, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"no"}`
}

func (s *server) sink(t *testing.T) *events.Sink {
	sink, err := events.NewSink(&rest.Config{Host: "https://192.0.2.1", Transport: s})
	require.NoError(t, err)
	return sink
}

func anEvent() *corev1.Event {
	return &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: "shop", Name: "invoicer.1"},
		InvolvedObject: corev1.ObjectReference{Kind: "Lease", Namespace: "shop", Name: "invoicer", UID: "u"},
		Reason:         "BecameActive", Message: "a became active with epoch 7", Type: "Normal",
	}
}

func TestSinkSends(t *testing.T) {
	s := &server{answer: echo}
	sink := s.sink(t)
	sent, err := sink.Create(anEvent())
	require.NoError(t, err)
	require.Equal(t, anEvent().InvolvedObject, sent.InvolvedObject)
	_, err = sink.Update(anEvent())
	require.NoError(t, err)
	_, err = sink.Patch(anEvent(), []byte(`{"count":2}`))
	require.NoError(t, err)
	require.Len(t, s.requests, 3)
	require.Contains(t, s.requests[0], `POST /api/v1/namespaces/shop/events application/json {"kind":"Event","apiVersion":"v1","metadata":{"name":"invoicer.1"`)
	require.Contains(t, s.requests[1], "PUT /api/v1/namespaces/shop/events/invoicer.1 application/json {")
	require.Equal(t, `PATCH /api/v1/namespaces/shop/events/invoicer.1 application/strategic-merge-patch+json {"count":2}`, s.requests[2])
}

func TestSinkRefuses(t *testing.T) {
	_, err := events.NewSink(nil)
	var field *lease.FieldError
	require.ErrorAs(t, err, &field)
	_, err = events.NewSink(&rest.Config{Host: "::"})
	require.ErrorContains(t, err, "events: ")
	s := &server{answer: echo}
	lost := anEvent()
	lost.Namespace = ""
	_, err = s.sink(t).Create(lost)
	require.ErrorContains(t, err, "no namespace")
	require.Empty(t, s.requests)
}

// The broadcaster tells by the error's type whether to try again.
func TestSinkPassesRefusalsOn(t *testing.T) {
	sink := (&server{answer: forbidden}).sink(t)
	_, err := sink.Create(anEvent())
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	require.Equal(t, "*errors.StatusError", fmt.Sprintf("%T", err), "not wrapped")
}

// reported runs a replica whose Events go through client-go's broadcaster to s.
func reported(t *testing.T, s *server, play func(e *singleton.Elector)) {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	broadcaster := record.NewBroadcaster()
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(s.sink(t))
	recorder := broadcaster.NewRecorder(runtime.NewScheme(), corev1.EventSource{Component: "invoicer", Host: "invoicer-0"})
	reporter, err := events.New(recorder, events.Config{Burst: 1000})
	require.NoError(t, err)
	b := &bench{T: t, cluster: cluster}
	b.elector, err = singleton.New(cluster.Client("a"), singleton.Config{
		Namespace: "shop", Name: "invoicer", Hooks: reporter.Hooks(),
	})
	require.NoError(t, err)
	b.run(idle)
	play(b.elector)
	b.stop()
	require.Nil(t, <-b.done)
	require.NoError(t, reporter.Wait(t.Context()))
}

// An API server that takes Events and never answers: terms begin and end as ever, and no goroutine
// is left, or the bubble would not end.
func TestSilentServerHarmsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{silent: true}
		reported(t, s, func(e *singleton.Elector) {
			for range 20 {
				require.Equal(t, singleton.StateActive, e.Status().State)
				e.Resign()
				sleep(20 * second)
			}
			sleep(time.Hour)
			require.Equal(t, singleton.StateActive, e.Status().State)
		})
		sleep(time.Minute)
		require.NotEmpty(t, s.requests)
	})
}

func TestForbiddenEventsHarmNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: forbidden}
		reported(t, s, func(e *singleton.Elector) {
			sleep(time.Hour)
			require.Equal(t, singleton.StateActive, e.Status().State)
		})
		sleep(time.Minute)
		require.LessOrEqual(t, len(s.requests), 2, "a refusal is not tried again")
	})
}

func TestEventsReachTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: echo}
		reported(t, s, func(e *singleton.Elector) {
			sleep(second)
			require.Len(t, s.requests, 1)
			for _, part := range []string{
				`"involvedObject":{"kind":"Lease","namespace":"shop","name":"invoicer","uid":"`,
				`"apiVersion":"coordination.k8s.io/v1"`, `"reason":"BecameActive"`, `"type":"Normal"`,
				e.Identity() + ` became active with epoch 2`,
				`"source":{"component":"invoicer","host":"invoicer-0"}`,
			} {
				require.Contains(t, s.requests[0], part)
			}
			e.Resign()
			sleep(second)
			require.Contains(t, s.requests[1], `"reason":"Resigned"`)
		})
	})
}
