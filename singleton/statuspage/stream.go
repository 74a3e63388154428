package statuspage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	mostStreams   = 32
	streamTick    = 250 * time.Millisecond // between two looks
	streamBeat    = 5 * time.Second        // an event is sent at least as often
	streamLife    = time.Minute
	writeDeadline = 10 * time.Second // for one event
)

// event is what a stream sends: the parts of the page that changed.
type event struct {
	Now   int64             `json:"now"` // milliseconds since 1970, by this machine's clock
	Parts map[string]string `json:"parts"`
}

// stream sends what changes.
func (p *page) stream(w http.ResponseWriter, r *http.Request) {
	if p.streams.Add(1) > mostStreams {
		p.streams.Add(-1)
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many streams are open", http.StatusServiceUnavailable)
		return
	}
	defer p.streams.Add(-1)
	ctx, cancel := context.WithTimeout(r.Context(), streamLife)
	defer cancel()
	server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	defer p.servers.add(server, cancel)()

	w.Header().Set("Content-Type", typeEvents)
	w.Header().Set("X-Accel-Buffering", "no") // nginx passes each event on at once
	out := streamWriter{w, http.NewResponseController(w)}
	if !out.send("retry: 500\n\n") {
		return
	}
	l := p.lookout()
	defer l.close()
	tick := time.NewTicker(streamTick)
	defer tick.Stop()
	sent, last := map[string]string{}, time.Time{}
	for {
		now := time.Now()
		parts, err := newView(l.glance(), now).parts(p.html)
		if err != nil {
			return
		}
		for id, part := range parts {
			if sent[id] == part {
				delete(parts, id)
			}
			sent[id] = part
		}
		if len(parts) > 0 || now.Sub(last) >= streamBeat {
			data, err := json.Marshal(event{now.UnixMilli(), parts})
			if err != nil || !out.send(fmt.Sprintf("data: %s\n\n", data)) {
				return
			}
			last = now
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

type streamWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// send writes at once. Each write has a deadline of its own, in place of the server's.
func (s streamWriter) send(text string) bool {
	err := s.control.SetWriteDeadline(time.Now().Add(writeDeadline))
	if err != nil && !errors.Is(err, http.ErrNotSupported) { // something hides the connection
		return false
	}
	_, err = s.w.Write([]byte(text))
	return err == nil && s.control.Flush() == nil
}

// servers ends streams when their server is shut down: it would wait for them. The zero value is
// ready to use.
type servers struct {
	mu  sync.Mutex
	all map[*http.Server]map[*context.CancelFunc]bool
}

// add has cancel called when server is shut down, until remove is called. Server may be nil.
func (s *servers) add(server *http.Server, cancel context.CancelFunc) (remove func()) {
	if server == nil {
		return func() {}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	streams, known := s.all[server]
	switch {
	case known && streams == nil: // it is being shut down
		cancel()
		return func() {}
	case !known:
		if s.all == nil {
			s.all = map[*http.Server]map[*context.CancelFunc]bool{}
		}
		streams = map[*context.CancelFunc]bool{}
		s.all[server] = streams
		server.RegisterOnShutdown(func() { s.end(server) })
	}
	streams[&cancel] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(streams, &cancel)
	}
}

func (s *servers) end(server *http.Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for cancel := range s.all[server] {
		(*cancel)()
	}
	s.all[server] = nil
}
