package httpfence_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
)

// hanging is a guard whose store answers the first call and then none, as if the network to it were gone.
type hanging struct {
	fencing.Tracker
	calls atomic.Int64
	asked chan struct{} // one more was
}

func (h *hanging) Enter(ctx context.Context, t fencing.Token) (context.Context, func(), error) {
	if h.calls.Add(1) == 1 {
		return h.Tracker.Enter(ctx, t)
	}
	close(h.asked)
	<-ctx.Done()
	return nil, nil, fencing.ErrUnavailable
}

// A handler that is over leaves the guard, also when its client went away and the guard does not answer what would
// tell of a newer term.
func TestHandlerIsOverWhateverTheGuardDoes(t *testing.T) {
	memory := newMemory(t, patience)
	guard := &hanging{Tracker: memory, asked: make(chan struct{})}
	served := newServer(t, httpfence.ServerConfig{Guard: guard}).Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-guard.asked }))
	gone, goAway := context.WithCancel(t.Context())
	goAway()
	r := httptest.NewRequestWithContext(gone, http.MethodPost, "/", nil)
	value, err := httpfence.Format(token(42))
	require.NoError(t, err)
	r.Header.Set(httpfence.HeaderToken, value)
	over := make(chan struct{})
	go func() {
		defer close(over)
		served.ServeHTTP(httptest.NewRecorder(), r)
	}()
	<-guard.asked
	require.NoError(t, memory.Announce(t.Context(), token(43)), "the handler has left")
	<-over
}
