package main

import (
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
)

// change is one write that the store took.
type change struct {
	key, value string
	token      fencing.Token
}

// store is a key-value store that only the current term may write to.
//
//	GET /values/KEY   the value, or 404         no token needed
//	PUT /values/KEY   204                       fenced
//	    /guard        where terms are announced
//
// The guard and the values live and die together, in this one process. A store whose values outlive it keeps the mark
// beside them: fencing.Durable.
type store struct {
	http.Handler

	mu      sync.Mutex
	values  map[string]string
	history []change
	refused int // writes of older terms
}

func newStore(scope string) (*store, error) {
	guard, err := fencing.NewMemory(fencing.MemoryConfig{})
	if err != nil {
		return nil, err
	}
	front, err := httpfence.NewServer(httpfence.ServerConfig{Guard: guard, Scope: scope})
	if err != nil {
		return nil, err
	}
	s, values, mux := &store{values: map[string]string{}}, http.NewServeMux(), http.NewServeMux()
	values.HandleFunc("GET /values/{key}", s.get)
	values.HandleFunc("PUT /values/{key}", s.put)
	mux.Handle("/values/", s.counted(front.Middleware(values)))
	mux.Handle("/guard", front.Endpoint())
	s.Handler = mux
	return s, nil
}

func (s *store) get(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.values[r.PathValue("key")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = io.WriteString(w, value)
}

// put runs between the guard's check and its own return: no newer term is admitted meanwhile.
func (s *store) put(w http.ResponseWriter, r *http.Request) {
	value, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<10)) // a newer term ends a slow one
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	token, _ := fencing.FromContext(r.Context()) // the middleware put it there
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[r.PathValue("key")] = string(value)
	s.history = append(s.history, change{r.PathValue("key"), string(value), token})
	w.WriteHeader(http.StatusNoContent)
}

// counted notes what the guard refused: the story wants to see it happen.
func (s *store) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if w.Header().Get(httpfence.HeaderRefused) == "stale" {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.refused++
		}
	})
}

// state returns the history so far and the number of refusals.
func (s *store) state() ([]change, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]change(nil), s.history...), s.refused
}

// audit says whether history is what one active after the other wrote: each number follows the one before, also across
// terms, and no term writes after a later one.
func audit(history []change) error {
	var last change
	for i, c := range history {
		if want := fmt.Sprint(i + 1); c.value != want {
			return fmt.Errorf("write %d, under %v, is %q: want %q", i, c.token, c.value, want)
		}
		if i > 0 {
			if order, err := fencing.Compare(c.token, last.token); err != nil || order < 0 {
				return fmt.Errorf("%q written under %v after %q under %v: %w", c.value, c.token, last.value, last.token, err)
			}
		}
		last = c
	}
	return nil
}
