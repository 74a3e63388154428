package singleton_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/singleton"
)

// An acquire that is not answered is given up before others may hold the Lease, whatever the timings.
// Otherwise, a write of it could be answered on what an edit put back over the next holder's term.
func TestUnheardAcquirePutBack(t *testing.T) {
	for _, late := range []time.Duration{12 * second, 12400 * time.Millisecond, 12900 * time.Millisecond} {
		everyWay(t, func(w *world) {
			slow := func(c *singleton.Config) {
				c.Timing.LeaseDuration, c.Timing.RenewDeadline, c.Timing.RetryPeriod = 15*second, 13*second, 6*second
			}
			writes := []string{"update", "patch", "create"}
			w.drain = 0
			w.Link("a").Inject(apiserver.Fault{Verbs: []string{"watch"}, HangRequest: true})
			w.Link("a").Inject(apiserver.Fault{Verbs: writes, HangAnswer: true, Count: 1})
			w.Link("a").Inject(apiserver.Fault{Verbs: writes, DelayBefore: late})
			w.start("a", slow)
			sleep(10 * time.Millisecond)
			unheard := w.stored()
			require.NotEmpty(w, *unheard.Spec.HolderIdentity, "it has arrived")
			require.Empty(w, w.who())
			w.start("b", slow)
			sleep(15*second + 100*time.Millisecond)
			require.Equal(w, "b", w.who())
			w.Link("b").BlackHole()
			w.putBack(unheard)
			sleep(time.Minute) // and inWorld: no two at work
		})
	}
}
