package httpfence_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
)

// overtake serves h under token 42 until it is inside, announces 43, and returns what the client got.
func overtake(t *testing.T, h2 bool, h func(inside chan<- struct{}, w http.ResponseWriter, r *http.Request)) (*http.Response, error) {
	t.Helper()
	inside := make(chan struct{}, 1)
	s := newStage(t, h2, func(w http.ResponseWriter, r *http.Request) error {
		h(inside, w, r)
		return nil
	})
	answer := s.post(t, strings.NewReader("invoice 1"))
	<-inside
	require.NoError(t, s.supersede(t))
	return answer()
}

func wantStale(t *testing.T, err error) {
	t.Helper()
	var stale *fencing.StaleError
	require.ErrorAs(t, err, &stale)
	require.Equal(t, fencing.StaleError{Presented: token(42), Mark: token(43)}, *stale)
}

// A handler that gives up when its context ends, and has said nothing, has not done what was asked: net/http would say 200.
func TestSilenceOfAnOvertakenHandlerIsNoSuccess(t *testing.T) {
	for name, h := range map[string]func(inside chan<- struct{}, w http.ResponseWriter, r *http.Request){
		"its context": func(inside chan<- struct{}, _ http.ResponseWriter, r *http.Request) {
			inside <- struct{}{}
			<-r.Context().Done()
		},
		"a context of it": func(inside chan<- struct{}, _ http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), patience)
			defer cancel()
			inside <- struct{}{}
			<-ctx.Done()
		},
		"asked again and again": func(inside chan<- struct{}, _ http.ResponseWriter, r *http.Request) {
			inside <- struct{}{}
			for r.Context().Err() == nil {
				time.Sleep(time.Millisecond)
			}
		},
		"its cause alone": func(inside chan<- struct{}, _ http.ResponseWriter, r *http.Request) {
			inside <- struct{}{}
			for context.Cause(r.Context()) == nil {
				time.Sleep(time.Millisecond)
			}
		},
		"early hints": func(inside chan<- struct{}, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			inside <- struct{}{}
			<-r.Context().Done()
		},
		"headers of a success": func(inside chan<- struct{}, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "7")
			inside <- struct{}{}
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			versions(t, func(t *testing.T, h2 bool) {
				_, err := overtake(t, h2, h)
				wantStale(t, err)
			})
		})
	}
	t.Run("its body", func(t *testing.T) {
		versions(t, func(t *testing.T, h2 bool) {
			reading := make(chan struct{})
			s := newStage(t, h2, func(_ http.ResponseWriter, r *http.Request) error {
				_, _ = io.ReadFull(r.Body, make([]byte, 1))
				close(reading)
				_, _ = io.ReadAll(r.Body)
				return nil
			})
			answer := s.post(t, halfBody(t))
			<-reading
			require.NoError(t, s.supersede(t))
			_, err := answer()
			wantStale(t, err)
		})
	})
}

// On the wire it is the refusal that any client understands.
func TestSilenceOnTheWire(t *testing.T) {
	guard, inside := newMemory(t, patience), make(chan struct{})
	s := serverOf(t, newServer(t, httpfence.ServerConfig{Guard: guard}).Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(inside)
		<-r.Context().Done()
	})).ServeHTTP)
	answered := make(chan *http.Response, 1)
	r := request(t.Context(), t, http.MethodPost, s.URL, "x")
	r.Header.Set(httpfence.HeaderToken, wire("42"))
	go func() {
		answer, err := http.DefaultClient.Do(r)
		assert.NoError(t, err)
		answered <- answer
	}()
	<-inside
	require.NoError(t, guard.Announce(t.Context(), token(43)))
	answer := <-answered
	defer answer.Body.Close()
	require.Equal(t, http.StatusPreconditionFailed, answer.StatusCode)
	require.Equal(t, "stale", answer.Header.Get(httpfence.HeaderRefused))
	require.Equal(t, wire("43"), answer.Header.Get(httpfence.HeaderMark))
}

// A context that ended for another reason does not hide the newer term.
func TestSilenceAfterAnotherEnd(t *testing.T) {
	guard, silent := newMemory(t, patience), make(chan struct{})
	fenced := newServer(t, httpfence.ServerConfig{Guard: guard}).Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(silent)
		_, _ = io.ReadAll(r.Body) // ends with the newer term
	}))
	s := &stage{guard: guard}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), time.Millisecond)
		defer cancel()
		fenced.ServeHTTP(w, r.WithContext(ctx))
	}))
	t.Cleanup(s.server.Close)
	answer := s.post(t, halfBody(t))
	<-silent
	require.NoError(t, guard.Announce(t.Context(), token(43)))
	_, err := answer()
	wantStale(t, err)
}

// What a handler says stays said, and so does the success of one that never looked whether it was over.
func TestWhatAnOvertakenHandlerSaysIsSent(t *testing.T) {
	for name, tt := range map[string]struct {
		h    func(inside chan<- struct{}, w http.ResponseWriter, r *http.Request)
		want int
	}{
		"a status before": {func(inside chan<- struct{}, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusCreated)
			inside <- struct{}{}
			<-r.Context().Done()
		}, http.StatusCreated},
		"all of a body before": {func(inside chan<- struct{}, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "4")
			_, _ = io.WriteString(w, "done")
			inside <- struct{}{}
			<-r.Context().Done()
		}, http.StatusOK},
		"a status after": {func(inside chan<- struct{}, w http.ResponseWriter, r *http.Request) {
			inside <- struct{}{}
			<-r.Context().Done()
			http.Error(w, "another time", http.StatusTooManyRequests)
		}, http.StatusTooManyRequests},
		"the rest of a body after": {func(inside chan<- struct{}, w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "one,")
			inside <- struct{}{}
			<-r.Context().Done()
			_, _ = io.WriteString(w, "cut off")
		}, http.StatusOK},
		"deaf": {func(inside chan<- struct{}, _ http.ResponseWriter, r *http.Request) {
			_, _ = fencing.FromContext(r.Context())
			inside <- struct{}{}
			time.Sleep(50 * time.Millisecond)
		}, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			versions(t, func(t *testing.T, h2 bool) {
				answer, err := overtake(t, h2, tt.h)
				require.NoError(t, err)
				require.Equal(t, tt.want, answer.StatusCode)
				_, err = io.ReadAll(answer.Body)
				require.NoError(t, err)
			})
		})
	}
}

// A body that a newer term cut short does not look complete, be it sent already or not.
func TestStreamCutShortIsNotComplete(t *testing.T) {
	for name, flush := range map[string]bool{"flushed": true, "buffered": false} {
		t.Run(name, func(t *testing.T) {
			versions(t, func(t *testing.T, h2 bool) {
				answer, err := overtake(t, h2, func(inside chan<- struct{}, w http.ResponseWriter, r *http.Request) {
					_, _ = io.WriteString(w, "first of ten\n")
					if flush {
						_ = http.NewResponseController(w).Flush()
					}
					inside <- struct{}{}
					<-r.Context().Done()
				})
				if err == nil {
					_, err = io.ReadAll(answer.Body)
				}
				require.Error(t, err)
			})
		})
	}
}

// A large answer after the end does not wait for its reader.
func TestLateAnswerDoesNotBlock(t *testing.T) {
	versions(t, func(t *testing.T, h2 bool) {
		_, _ = overtake(t, h2, func(inside chan<- struct{}, w http.ResponseWriter, r *http.Request) {
			inside <- struct{}{}
			<-r.Context().Done()
			for range 64 { // more than any buffer on the way
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
			t.Error("64 MiB that nobody reads were written")
		})
	})
}

// Whoever comes next on the connection has a context of its own: that a newer term ended one request says nothing of it. A
// proxy sends what several replicas write over one connection.
func TestNextRequestOnTheConnectionIsAlive(t *testing.T) {
	for name, say := range map[string]func(w http.ResponseWriter){
		"silence": func(http.ResponseWriter) {}, "a refusal": func(w http.ResponseWriter) { httpfence.Refuse(w, fencing.ErrUnavailable) },
		"a status": func(w http.ResponseWriter) { w.WriteHeader(http.StatusAccepted) },
	} {
		for _, when := range []string{"before", "after"} {
			for _, body := range []string{"", "read", "unread"} {
				t.Run(name+" "+when+" body "+body, func(t *testing.T) {
					guard, inside := newMemory(t, patience), make(chan struct{})
					s := serverOf(t, newServer(t, httpfence.ServerConfig{Guard: guard}).Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if r.URL.Path == "/next" {
							time.Sleep(10 * time.Millisecond) // enough to be told
							assert.NoError(t, r.Context().Err())
							return
						}
						if body != "unread" {
							_, _ = io.Copy(io.Discard, r.Body)
						}
						if when == "before" {
							say(w)
						}
						close(inside)
						<-r.Context().Done()
						time.Sleep(10 * time.Millisecond)
						if when == "after" {
							say(w)
						}
					})).ServeHTTP)
					base := &http.Transport{MaxConnsPerHost: 1}
					t.Cleanup(base.CloseIdleConnections)
					ask := func(path string, tok fencing.Token) *http.Request {
						r := request(t.Context(), t, http.MethodPost, s.URL+path, body)
						r.Header.Set(httpfence.HeaderToken, wire(strconv.FormatInt(tok.Epoch, 10)))
						return r
					}
					post := func(r *http.Request) {
						answer, err := base.RoundTrip(r)
						if err != nil {
							t.Error(err)
							return
						}
						_, _ = io.Copy(io.Discard, answer.Body)
						_ = answer.Body.Close()
					}
					first, done := ask("/", token(42)), make(chan struct{})
					go func() { post(first); close(done) }()
					<-inside
					require.NoError(t, guard.Announce(t.Context(), token(43)))
					<-done
					post(ask("/next", token(43)))
				})
			}
		}
	}
}
