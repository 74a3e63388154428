package serving_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/serving"
)

// refused checks a 503.
func refused(t testing.TB, w *httptest.ResponseRecorder, state, holder string, handled bool) {
	t.Helper()
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	for field, value := range map[string]string{
		"Retry-After": "1", "Connection": "close", "Cache-Control": "no-store",
		"Content-Type": "application/problem+json", serving.HeaderHolder: holder,
	} {
		require.Equal(t, value, w.Header().Get(field), field)
	}
	var problem struct {
		Status        int
		State, Holder string
		Handled       bool
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &problem), w.Body)
	require.Equal(t, http.StatusServiceUnavailable, problem.Status)
	require.Equal(t, handled, problem.Handled)
	require.Equal(t, state, problem.State)
	require.Equal(t, holder, problem.Holder)
}

func TestOnlyTheActiveServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		a, b := l.replica("a"), l.replica("b")
		called := 0
		next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			called++
			token, _ := fencing.FromContext(r.Context())
			_, _ = io.WriteString(w, token.String())
		})
		refused(t, ask(a.gate.RequireActive(next), http.MethodGet), "stopped", "", false)
		l.run(a)
		synctest.Wait()
		l.run(b)
		synctest.Wait()
		require.Zero(t, called)
		w := ask(a.gate.RequireActive(next), http.MethodPost)
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, a.Status().Token.String(), w.Body.String())
		refused(t, ask(b.gate.RequireActive(next), http.MethodPost), "standby", a.Identity(), false)
		a.stop()
		synctest.Wait()
		refused(t, ask(a.gate.RequireActive(next), http.MethodGet), "stopped", a.Identity(), false)
		require.Equal(t, b.Status().Token.String(), ask(b.gate.RequireActive(next), http.MethodGet).Body.String())
		require.Equal(t, 2, called)
		require.Empty(t, ask(a.gate.RequireActive(next), http.MethodHead).Body.String())
	})
}

// Guards and OnAcquire come first.
func TestShutUntilWorkIsCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		a := l.replica("a", func(c *singleton.Config) {
			c.Hooks.OnAcquire = func(context.Context, *singleton.Term) { time.Sleep(time.Second) }
		})
		l.run(a)
		synctest.Wait()
		require.True(t, a.IsActive())
		refused(t, ask(a.gate.RequireActive(http.NotFoundHandler()), http.MethodGet), "acquiring", a.Identity(), false)
		time.Sleep(2 * time.Second)
		require.Equal(t, 404, ask(a.gate.RequireActive(http.NotFoundHandler()), http.MethodGet).Code)
	})
}

// The replica is cut off, and the handler takes longer than the term lasts. Whatever it answers
// after that, or has left to be sent, does not leave.
func TestNoAnswerLeavesAfterTheTerm(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for name, handler := range map[string]func(w http.ResponseWriter, wait func()){
		"it answers late":     func(w http.ResponseWriter, wait func()) { wait(); _, _ = io.WriteString(w, "late") },
		"with a status":       func(w http.ResponseWriter, wait func()) { wait(); w.WriteHeader(http.StatusCreated) },
		"with an error":       func(w http.ResponseWriter, wait func()) { wait(); http.Error(w, "no", http.StatusTeapot) },
		"with nothing":        func(_ http.ResponseWriter, wait func()) { wait() },
		"at length":           func(w http.ResponseWriter, wait func()) { wait(); _, _ = io.WriteString(w, long) },
		"from a file":         func(w http.ResponseWriter, wait func()) { wait(); _, _ = io.Copy(w, strings.NewReader(long)) },
		"early, but held":     func(w http.ResponseWriter, wait func()) { _, _ = io.WriteString(w, "early"); wait() },
		"early, a status":     func(w http.ResponseWriter, wait func()) { w.WriteHeader(http.StatusCreated); wait() },
		"early, a short file": func(w http.ResponseWriter, wait func()) { _, _ = io.Copy(w, strings.NewReader("early")); wait() },
		"with a flush":        func(w http.ResponseWriter, wait func()) { wait(); w.(http.Flusher).Flush() },
		"with early hints":    func(w http.ResponseWriter, wait func()) { wait(); w.WriteHeader(http.StatusEarlyHints) },
		"with a hijack": func(w http.ResponseWriter, wait func()) {
			wait()
			_, _, err := http.NewResponseController(w).Hijack()
			if !errors.Is(err, serving.ErrNotActive) {
				panic(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t)
				a := l.replica("a")
				l.run(a)
				synctest.Wait()
				w := httptest.NewRecorder()
				w.Header().Set("X-Before", "stays")
				r := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
				a.gate.RequireActive(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Set-Cookie", "goes")
					w.Header().Set("Content-Length", "5")
					handler(w, func() {
						l.Link("a").BlackHole()
						time.Sleep(11 * time.Second)
						l.Link("a").Heal()
						require.ErrorIs(t, context.Cause(r.Context()), singleton.ErrLost)
					})
				})).ServeHTTP(w, r)
				refused(t, w, "draining", a.Identity(), true)
				require.False(t, w.Flushed)
				require.Equal(t, "stays", w.Header().Get("X-Before"))
				require.Empty(t, w.Header().Get("Set-Cookie"))
			})
		})
	}
}

// An answer that has begun is cut, and does not look complete.
func TestABodyIsCut(t *testing.T) {
	for name, c := range map[string]struct {
		length string
		begin  func(w http.ResponseWriter)
		whole  bool
	}{
		"flushed":       {begin: func(w http.ResponseWriter) { _, _ = io.WriteString(w, "abc"); w.(http.Flusher).Flush() }},
		"long":          {begin: func(w http.ResponseWriter) { _, _ = io.WriteString(w, strings.Repeat("x", 3000)) }},
		"a long file":   {begin: func(w http.ResponseWriter) { _, _ = io.Copy(w, strings.NewReader(strings.Repeat("x", 3000))) }},
		"of a length":   {length: "3001", begin: func(w http.ResponseWriter) { _, _ = io.WriteString(w, strings.Repeat("x", 3000)) }},
		"whole by then": {length: "3000", begin: func(w http.ResponseWriter) { _, _ = io.WriteString(w, strings.Repeat("x", 3000)) }, whole: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t)
				a := l.replica("a")
				l.run(a)
				synctest.Wait()
				w := httptest.NewRecorder()
				serve := func() {
					a.gate.RequireActive(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if c.length != "" {
							w.Header().Set("Content-Length", c.length)
						}
						c.begin(w)
						a.Resign()
						<-r.Context().Done()
						for _, write := range []func() error{
							func() error { _, err := w.Write([]byte("more")); return err },
							func() error { _, err := io.Copy(w, strings.NewReader("more")); return err },
							func() error { return http.NewResponseController(w).Flush() },
						} {
							assert.ErrorIs(t, write(), serving.ErrNotActive)
						}
					})).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
				}
				if c.whole {
					serve()
				} else {
					require.PanicsWithValue(t, http.ErrAbortHandler, serve)
				}
				require.True(t, w.Flushed, "what was begun has left")
				require.NotContains(t, w.Body.String(), "more")
			})
		})
	}
}

// The Lease is kept until every handler has returned.
func TestWorkWaitsForRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		a, b := l.replica("a"), l.replica("b")
		l.run(a)
		synctest.Wait()
		l.run(b)
		synctest.Wait()
		entry, err := a.gate.Enter(t.Context())
		require.NoError(t, err)
		require.NoError(t, entry.Err())
		a.Resign()
		time.Sleep(5 * time.Second)
		require.ErrorIs(t, context.Cause(entry.Context()), singleton.ErrResigned)
		require.ErrorIs(t, entry.Err(), serving.ErrNotActive)
		require.ErrorContains(t, entry.Err(), "may have had effects")
		require.Equal(t, singleton.StateDraining, a.Status().State)
		require.False(t, b.IsActive(), "beside a request of a")
		_, err = a.gate.Enter(t.Context())
		require.ErrorIs(t, err, serving.ErrNotActive)
		entry.Leave()
		entry.Leave()
		synctest.Wait()
		require.True(t, b.IsActive())
	})
}

// Work that returns or panics by itself shuts the gate, too.
func TestTheGateShutsWithWork(t *testing.T) {
	for name, work := range map[string]singleton.Work{
		"returns": func(context.Context, *singleton.Term) error { time.Sleep(time.Second); return nil },
		"panics":  func(context.Context, *singleton.Term) error { time.Sleep(time.Second); panic("so") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t)
				a := l.replica("a")
				ended := make(chan any, 1)
				go func() {
					defer func() { ended <- recover() }()
					_ = a.Run(t.Context(), a.gate.Work(work))
				}()
				synctest.Wait()
				entry, err := a.gate.Enter(t.Context())
				require.NoError(t, err)
				time.Sleep(2 * time.Second)
				require.Empty(t, ended, "it waits for the request")
				end, ok := errors.AsType[*singleton.EndError](context.Cause(entry.Context()))
				require.True(t, ok)
				require.Equal(t, singleton.ReasonReturned, end.Reason)
				entry.Leave()
				synctest.Wait()
				require.Len(t, ended, 1)
				_, err = a.gate.Enter(t.Context())
				require.ErrorIs(t, err, serving.ErrNotActive)
				require.ErrorContains(t, err, "this replica is not active (stopped)")
			})
		})
	}
}

// The context of a request is of the term, and still the client's.
func TestContextOfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		a := l.replica("a")
		l.run(a)
		synctest.Wait()
		gone := errors.New("the client has gone")
		client, leave := context.WithCancelCause(t.Context())
		entry, err := a.gate.Enter(client)
		require.NoError(t, err)
		leave(gone)
		require.Equal(t, gone, context.Cause(entry.Context()))
		require.NoError(t, entry.Err(), "the term goes on")
		entry.Leave()

		entry, err = a.gate.Enter(t.Context())
		require.NoError(t, err)
		defer entry.Leave()
		token, ok := fencing.FromContext(entry.Context())
		require.True(t, ok)
		mark := token
		mark.Epoch++
		_ = fencing.Report(entry.Context(), &fencing.StaleError{Presented: token, Mark: mark})
		synctest.Wait()
		end, _ := errors.AsType[*singleton.EndError](context.Cause(entry.Context()))
		require.Equal(t, singleton.ReasonRefused, end.Reason)
	})
}

func TestAnotherElectorsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		a, other := l.replica("a"), l.replica("b", func(c *singleton.Config) { c.Name = "shipper" })
		require.ErrorContains(t, a.Run(t.Context(), other.gate.Work(idle)),
			"the gate is for the elector of shop/shipper, not of shop/invoicer")
	})
}

// Work that drains lets nothing in any more.
func TestShutWhileWorkDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		a := l.replica("a")
		go func() {
			_ = a.Run(t.Context(), a.gate.Work(func(ctx context.Context, _ *singleton.Term) error {
				<-ctx.Done()
				time.Sleep(3 * time.Second)
				return nil
			}))
		}()
		synctest.Wait()
		term := a.Status().Term
		a.SetEligible(false)
		a.Resign()
		synctest.Wait()
		require.True(t, term.Valid(), "the Lease is kept for it")
		_, err := a.gate.Enter(t.Context())
		require.ErrorIs(t, err, serving.ErrNotActive)
		time.Sleep(4 * time.Second)
	})
}
