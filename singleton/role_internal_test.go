package singleton

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A process that was frozen beyond its deadline says 503 before any other goroutine of it has run.
func TestRoleAfterAFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term, config := testTerm(t)
		e := &Elector{config: *config}
		e.status.Store(&status{state: StateActive, term: term})
		ask := func() (int, string) {
			w := httptest.NewRecorder()
			e.RoleHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/active", http.NoBody))
			return w.Code, w.Body.String()
		}
		code, body := ask()
		require.Equal(t, 503, code)
		require.Contains(t, body, `"acquiring"`)
		term.working.Store(true)
		time.Sleep(10*time.Second - time.Nanosecond)
		code, body = ask()
		require.Equal(t, 200, code)
		require.Contains(t, body, `"active"`)
		time.Sleep(time.Nanosecond)
		code, body = ask()
		require.Equal(t, 503, code)
		require.Contains(t, body, `"draining"`)
		require.NoError(t, term.ctx.Err(), "nobody was there to end it")
	})
}
