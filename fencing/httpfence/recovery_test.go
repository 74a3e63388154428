package httpfence_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/filestore"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// The row of internal/docs/guards.md: the mark is the far guard's, and is mended there.
func TestRecovery(t *testing.T) {
	var behind atomic.Pointer[fencing.Tracker]
	s := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
		guarded, err := httpfence.NewServer(httpfence.ServerConfig{Guard: *behind.Load(), Scope: guardtest.Scope})
		if err != nil {
			httpfence.Refuse(w, err)
			return
		}
		guarded.Endpoint().ServeHTTP(w, r)
	})
	guard := func(t testing.TB) fencing.Guard { return newRemote(t, s.URL) }
	restart := func(g fencing.Tracker) { behind.Store(&g) }
	fresh := func(t testing.TB) { restart(newMemory(t, 0)) }
	t.Run("Memory", func(t *testing.T) {
		fresh(t)
		guardtest.Recovery{Guard: guard, Lose: fresh, Repair: fresh}.Run(t)
	})
	t.Run("Durable on another volume", func(t *testing.T) {
		other := func(t testing.TB) {
			store, err := filestore.Open(t.TempDir())
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("no file locks here")
			}
			require.NoError(t, err)
			durable, err := fencing.NewDurable(store, fencing.MemoryConfig{})
			require.NoError(t, err)
			restart(durable)
		}
		other(t)
		guardtest.Recovery{Guard: guard, Lose: other, Repair: other}.Run(t)
	})
}
