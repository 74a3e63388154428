package frameworks

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
	"github.com/hotseat-go/hotseat/singleton/writegate"
)

// pod runs commands over SPDY, each of which prints hello. It knows no WebSockets.
type pod struct {
	*httptest.Server
	asked atomic.Int64
}

func (p *pod) exec(w http.ResponseWriter, r *http.Request) {
	p.asked.Add(1)
	if r.Header.Get("Upgrade") == "websocket" {
		http.Error(w, "no WebSockets", http.StatusBadRequest)
		return
	}
	w.Header().Set(httpstream.HeaderProtocolVersion, "v4.channel.k8s.io")
	streams := make(chan httpstream.Stream, 2)
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r,
		func(s httpstream.Stream, _ <-chan struct{}) error {
			streams <- s
			return nil
		})
	if conn == nil {
		return // it has answered
	}
	defer func() { _ = conn.Close() }()
	for range cap(streams) {
		s := <-streams
		if s.Headers().Get("streamType") == "stdout" {
			_, _ = io.WriteString(s, "hello")
		}
		_ = s.Close()
	}
	<-conn.CloseChan()
}

// executors are client-go's, for a command in the Pod. Each may be used once.
func (p *pod) executors(t *testing.T, config *rest.Config) []remotecommand.Executor {
	u, err := url.Parse(p.URL + "/api/v1/namespaces/shop/pods/x/exec?command=x&stdout=true")
	require.NoError(t, err)
	sockets, err := remotecommand.NewWebSocketExecutor(config, http.MethodGet, u.String())
	require.NoError(t, err)
	all := []remotecommand.Executor{sockets}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		e, err := remotecommand.NewSPDYExecutor(config, method, u)
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

func outputs(ctx context.Context, executors []remotecommand.Executor) (texts []string, errs []error) {
	for _, e := range executors {
		var out bytes.Buffer
		errs = append(errs, e.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out}))
		texts = append(texts, out.String())
	}
	return texts, errs
}

// A standby does not get a command into a Pod by any of client-go's executors, and an active does.
// They say only below the gate that they change the protocol.
func TestWriteGateUnderExecutors(t *testing.T) {
	c := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer c.Close()
	client, err := singleton.NewClient(c.RESTConfig("a"))
	require.NoError(t, err)
	elector, err := singleton.New(client, singleton.Config{
		Name: "invoicer", Namespace: "shop", Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	gate, err := writegate.New(writegate.Config{Terms: elector})
	require.NoError(t, err)
	p := &pod{}
	p.Server = httptest.NewServer(http.HandlerFunc(p.exec))
	defer p.Close()
	gated := gate.Wrap(&rest.Config{Host: p.URL})

	_, errs := outputs(t.Context(), p.executors(t, gated))
	require.ErrorIs(t, errs[0], writegate.ErrNotActive)
	for _, err := range errs { // the client for SPDY keeps the text only
		require.ErrorContains(t, err, "was not sent: this replica has no term")
	}
	require.Zero(t, p.asked.Load())

	executors := p.executors(t, gated)
	require.NoError(t, elector.Run(t.Context(), func(ctx context.Context, _ *singleton.Term) error {
		texts, errs := outputs(ctx, executors)
		assert.ErrorContains(t, errs[0], "400 Bad Request")
		assert.NoError(t, errs[1])
		assert.NoError(t, errs[2])
		assert.Equal(t, []string{"", "hello", "hello"}, texts)
		return nil
	}))
	require.EqualValues(t, 3, p.asked.Load())
}
