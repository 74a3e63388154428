package writegate_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
	"github.com/hotseat-go/hotseat/singleton/writegate"
)

// lab is a cluster with one replica, which elects on shop/invoicer.
type lab struct {
	*testing.T
	cluster *singletontest.Cluster
	elector *singleton.Elector
	stop    func() // ends Run, and waits for it
	work    context.Context
}

func newLab(t *testing.T) *lab {
	l := &lab{T: t, stop: func() {}}
	l.cluster = singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	t.Cleanup(l.cluster.Close)
	l.elector = l.electorOf(singleton.NewClient(l.cluster.RESTConfig("a")))
	return l
}

func (l *lab) electorOf(client *singleton.Client, err error) *singleton.Elector {
	require.NoError(l, err)
	elector, err := singleton.New(client, singleton.Config{
		Name: "invoicer", Namespace: "shop", Logger: slog.New(slog.DiscardHandler),
		Replica: singleton.ReplicaConfig{Identity: "a"}, Fencing: singleton.FencingConfig{MaxRaise: 100},
	})
	require.NoError(l, err)
	return elector
}

func (l *lab) gate(change ...func(*writegate.Config)) *writegate.Gate {
	c := writegate.Config{Terms: l.elector}
	for _, f := range change {
		f(&c)
	}
	gate, err := writegate.New(c)
	require.NoError(l, err)
	return gate
}

// lead runs the elector until its term has begun. Work ends with its term.
func (l *lab) lead() *singleton.Term {
	ctx, cancel := context.WithCancel(context.Background())
	began := make(chan *singleton.Term, 1)
	var running sync.WaitGroup
	running.Go(func() {
		_ = l.elector.Run(ctx, func(ctx context.Context, term *singleton.Term) error {
			l.work = ctx
			select {
			case began <- term:
			default:
			}
			<-ctx.Done()
			return nil
		})
	})
	l.stop = func() { cancel(); running.Wait() }
	l.Cleanup(func() { l.stop() })
	select {
	case term := <-began:
		return term
	case <-time.After(time.Minute):
		require.FailNow(l, "the replica does not become active")
		return nil
	}
}

// lose takes the Lease away from the replica, and returns once it knows.
func (l *lab) lose(term *singleton.Term) {
	intruder := "intruder"
	if err := l.cluster.EditLease(func(lease *coordv1.Lease) { lease.Spec.HolderIdentity = &intruder }); err != nil {
		l.Error(err)
	}
	for deadline := time.Now().Add(10 * time.Second); term.Valid(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			l.Error("the replica goes on")
			return
		}
	}
}

// seen is a transport that answers by itself, and keeps what reached it.
type seen struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
	answer   func(attempt int, r *http.Request) *http.Response // nil: 200
}

func (s *seen) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	s.requests, s.bodies = append(s.requests, r), append(s.bodies, string(body))
	attempt := len(s.requests)
	s.mu.Unlock()
	if s.answer != nil {
		return s.answer(attempt, r), nil
	}
	return reply(r, http.StatusOK), nil
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func reply(r *http.Request, status int, header ...string) *http.Response {
	answer := &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader("{}")),
	}
	for i := 0; i < len(header); i += 2 {
		answer.Header.Set(header[i], header[i+1])
	}
	return answer
}

// podIn decodes a Pod that was sent in protobuf.
func podIn(t *testing.T, body string) *corev1.Pod {
	raw, marked := strings.CutPrefix(body, "k8s\x00")
	require.True(t, marked)
	var envelope runtime.Unknown
	require.NoError(t, envelope.Unmarshal([]byte(raw)))
	require.Equal(t, "Pod", envelope.Kind)
	pod := &corev1.Pod{}
	require.NoError(t, pod.Unmarshal(envelope.Raw))
	return pod
}
