package lookout

import (
	"context"
	"log/slog"
	"sync"

	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// Shared observes all Leases of a namespace by one list and one watch, while at least one source
// has a share in it. It is safe for concurrent use.
type Shared struct {
	client lease.Client
	log    *slog.Logger

	turns  chan struct{} // has one element for each source that lists its Lease
	mu     sync.Mutex
	stream *stream // while somebody subscribes
}

// NewShared returns one that asks through client, which is one namespace's.
func NewShared(client lease.Client, log *slog.Logger) *Shared {
	return &Shared{client: client, log: log, turns: make(chan struct{}, listers)}
}

// listers is how many sources list their Leases at once when they start. Without this bound, a
// thousand of them would load the server and fill the memory at once.
const listers = 32

// turn waits for the caller's turn to list, or for ctx's end; done ends the turn.
func (w *Shared) turn(ctx context.Context) (done func()) {
	select {
	case w.turns <- struct{}{}:
		return func() { <-w.turns }
	case <-ctx.Done():
		return func() {}
	}
}

// subscribe lets s observe its Lease, and starts the stream if there is none. The stream takes its
// random source from ctx, but outlives ctx. finish undoes subscribe, and waits for the stream's end
// if no source is left.
func (w *Shared) subscribe(ctx context.Context, s *Source) (finish func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stream == nil {
		w.stream = newStream(protocol.NewNamespace(w.client, s.lock.Clock), w.log)
		defer w.stream.start(context.WithoutCancel(ctx)) // it has s's timing then
	}
	w.stream.add(s)
	s.stream = w.stream
	return func() {
		if stream := w.drop(s); stream != nil {
			stream.stop()
		}
	}
}

// drop removes s. It returns the stream if s was the last with a share in it.
func (w *Shared) drop(s *Source) *stream {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !s.stream.remove(s) {
		return nil
	}
	w.stream = nil // whoever comes now begins another
	return s.stream
}
