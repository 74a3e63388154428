package singleton_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
)

// role asks an elector's handler, and checks what holds for each answer.
func role(t require.TestingT, e *singleton.Elector) (status int, answer map[string]string) {
	w := httptest.NewRecorder()
	e.RoleHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/active", http.NoBody))
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	require.Len(t, answer, 5)
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, strconv.Itoa(w.Body.Len()), w.Header().Get("Content-Length"))
	require.Equal(t, e.Identity(), answer["identity"])
	require.Equal(t, w.Code == http.StatusOK, answer["state"] == "active", answer)
	return w.Code, answer
}

// is demands an answer's status and state.
func (l lab) is(e *singleton.Elector, status int, state string) (answer map[string]string) {
	l.Helper()
	got, answer := role(l, e)
	require.Equal(l, status, got, answer)
	require.Equal(l, state, answer["state"])
	return answer
}

// From before Run to after it, and of two replicas one at most says 200.
func TestRoleOfEachState(t *testing.T) {
	inLab(t, func(l lab) {
		told, warm, acquired := make(chan int), make(chan int), make(chan int)
		await := func(ctx context.Context, c chan int) error {
			select {
			case <-c:
			case <-ctx.Done():
			}
			return ctx.Err()
		}
		slow := guardFunc{memory(l), func(ctx context.Context, _ fencing.Token) error { return await(ctx, told) }}
		a := l.elector("a", fenced(func(c *singleton.Config) {
			c.Replica.WarmUp = func(ctx context.Context) error { return await(ctx, warm) }
			c.Hooks.OnAcquire = func(ctx context.Context, _ *singleton.Term) { _ = await(ctx, acquired) }
		}, slow))
		b := l.elector("b")
		require.Equal(l, map[string]string{"state": "stopped", "identity": a.Identity(), "holder": "", "epoch": "", "token": ""},
			l.is(a, 503, "stopped"))
		ra := l.run(a, func(ctx context.Context, _ *singleton.Term) error { <-ctx.Done(); time.Sleep(second); return nil })
		l.is(a, 503, "warming")
		close(warm)
		sleep(second)
		l.is(a, 503, "acquiring") // guards do not know the token yet
		close(told)
		sleep(second)
		l.is(a, 503, "acquiring") // OnAcquire has not returned
		close(acquired)
		sleep(second)
		answer, token := l.is(a, 200, "active"), a.Status().Token
		require.Equal(l, a.Identity(), answer["holder"])
		require.Equal(l, token.String(), answer["token"])
		require.Equal(l, strconv.FormatInt(token.Epoch, 10), answer["epoch"])
		l.run(b, idle)
		answer = l.is(b, 503, "standby")
		require.Equal(l, a.Identity(), answer["holder"])
		require.Equal(l, token.String(), answer["token"])
		ra.stop()
		synctest.Wait()
		l.is(a, 503, "draining") // before the release
		l.is(b, 503, "standby")
		require.NoError(l, ra.wait(l))
		l.is(a, 503, "stopped")
		synctest.Wait()
		l.is(b, 200, "active")
	})
}

// A term that is lost says 503, and soon names its successor.
func TestRoleOfALostTerm(t *testing.T) {
	inLab(t, func(l lab) {
		a := l.elector("a")
		l.run(a, func(ctx context.Context, _ *singleton.Term) error { <-ctx.Done(); sleep(second); return nil })
		l.is(a, 200, "active")
		intruder := "intruder"
		l.edit(func(r *coordv1.Lease) { r.Spec.HolderIdentity = &intruder })
		answer := l.is(a, 503, "draining")
		require.Equal(l, intruder, answer["holder"])
	})
}

func TestRoleMethods(t *testing.T) {
	inLab(t, func(l lab) {
		active, standby := l.elector("a"), l.elector("b")
		l.run(active, idle)
		l.run(standby, idle)
		ask := func(e *singleton.Elector, method string) *http.Response {
			w := httptest.NewRecorder()
			e.RoleHandler().ServeHTTP(w, httptest.NewRequest(method, "/anywhere?x=1", http.NoBody))
			return w.Result()
		}
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
			for e, status := range map[*singleton.Elector]int{active: 200, standby: 503} {
				r := ask(e, method)
				require.Equal(l, status, r.StatusCode, method)
				require.NotEqual(l, "0", r.Header.Get("Content-Length"))
				body := make([]byte, 1)
				n, _ := r.Body.Read(body)
				require.Equal(l, method != http.MethodHead, n == 1, method)
				require.Equal(l, method == http.MethodOptions, r.Header.Get("Allow") != "", method)
			}
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, "BREW"} {
			r := ask(active, method)
			require.Equal(l, 405, r.StatusCode)
			require.Equal(l, "GET, HEAD, OPTIONS", r.Header.Get("Allow"))
			require.Equal(l, "no-store", r.Header.Get("Cache-Control"))
		}
	})
}
