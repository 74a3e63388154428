package serving_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/serving"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// lab is a cluster with the Lease shop/invoicer.
type lab struct {
	*testing.T
	*singletontest.Cluster
}

func newLab(t *testing.T) lab {
	l := lab{t, singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})}
	t.Cleanup(l.Close)
	return l
}

// replica is an elector with its gate.
type replica struct {
	*singleton.Elector
	gate *serving.Gate
	done chan error // of Run
	stop context.CancelFunc
}

func (l lab) replica(name string, change ...func(*singleton.Config)) *replica {
	config := singleton.Config{
		Name: "invoicer", Namespace: "shop", Replica: singleton.ReplicaConfig{Identity: name},
		Logger: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&config)
	}
	e, err := singleton.New(l.Client(name), config)
	require.NoError(l, err)
	return &replica{Elector: e, gate: serving.NewGate(e)}
}

// run makes a replica a candidate until the test ends.
func (l lab) run(r *replica) {
	ctx, stop := context.WithCancel(context.Background())
	r.done, r.stop = make(chan error, 1), stop
	go func() { r.done <- r.Run(ctx, r.gate.Work(idle)) }()
	l.Cleanup(func() {
		stop()
		require.NoError(l, <-r.done)
	})
}

func idle(ctx context.Context, _ *singleton.Term) error {
	<-ctx.Done()
	return nil
}

// active runs a replica, and waits until its gate is open.
func (l lab) active(name string) *replica {
	r := l.replica(name)
	l.run(r)
	await(l, func() bool {
		entry, err := r.gate.Enter(l.Context())
		if err == nil {
			entry.Leave()
		}
		return err == nil
	})
	return r
}

// soon is far above what anything here takes, also on a machine that does much else.
const soon = time.Minute

func await(t testing.TB, done func() bool) {
	t.Helper()
	for began := time.Now(); !done(); time.Sleep(time.Millisecond) {
		require.Less(t, time.Since(began), soon)
	}
}

// server serves next on the active, over loopback.
func (l lab) server(r *replica, http2 bool, next http.HandlerFunc) *httptest.Server {
	s := httptest.NewUnstartedServer(r.gate.RequireActive(next))
	s.Config.ConnState = r.gate.ConnState
	s.EnableHTTP2 = http2
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	if http2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	l.Cleanup(s.Close)
	return s
}

// ask asks a handler without a server.
func ask(h http.Handler, method string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, "/", http.NoBody))
	return w
}
