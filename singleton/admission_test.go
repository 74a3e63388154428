package singleton_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/singleton"
)

// admitting plays a real API server whose admission takes long. It makes of each
// write a compare-and-swap: it looks, admits, and writes if nothing was written
// meanwhile, else it begins anew.
type admitting struct {
	l           lab
	took        time.Duration
	next        http.RoundTripper
	under, most atomic.Int32 // writes under way, and the most there were
}

func (s *admitting) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodPatch && request.Method != http.MethodPut {
		return s.next.RoundTrip(request)
	}
	s.most.Store(max(s.most.Load(), s.under.Add(1)))
	defer s.under.Add(-1)
	for {
		seen := s.l.record().ResourceVersion()
		timer := time.NewTimer(s.took)
		select {
		case <-timer.C:
		case <-request.Context().Done(): // the server gives up too
			timer.Stop()
			return nil, request.Context().Err()
		}
		if s.l.record().ResourceVersion() == seen {
			return s.next.RoundTrip(request)
		}
	}
}

// TestSlowAdmission: renewals that overlap in the server lose its compare-and-swap to
// each other. Two writes in a row fit into RenewDeadline, so no term ends; and none
// overlap that are answered within RenewDeadline/4, though that is more than a
// RetryPeriod.
func TestSlowAdmission(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	for _, took := range []time.Duration{
		500 * time.Millisecond, 1900 * time.Millisecond, 2100 * time.Millisecond, 3 * time.Second, 3500 * time.Millisecond, 3900 * time.Millisecond, 4500 * time.Millisecond,
	} {
		t.Run(fmt.Sprint(took), func(t *testing.T) {
			inLab(t, func(l lab) {
				server := &admitting{l: l, took: took}
				client := l.clientThrough("a", func(next http.RoundTripper) http.RoundTripper { server.next = next; return server })
				log := &lines{}
				e, err := singleton.New(client, singleton.Config{Name: "invoicer", Namespace: "shop", Replica: singleton.ReplicaConfig{Identity: "a"}, Logger: log.logger()})
				require.NoError(l, err)
				l.run(e, idle)
				sleep(took + second)
				require.Equal(l, singleton.StateActive, e.Status().State)
				term := e.Status().Token
				sleep(10 * second) // an acquire is sent again as well
				server.most.Store(0)
				sleep(10 * time.Minute)
				if took < 2500*time.Millisecond {
					require.EqualValues(l, 1, server.most.Load(), "in each other's way")
				}
				require.Equal(l, term, e.Status().Token, "one term")
				require.Positive(l, e.Status().ValidFor)
				require.Zero(l, log.count("level=WARN"), "%s", log.text.String())
			})
		})
	}
}

// The same where a write is answered about when the next one is due, so that two are
// sent a moment apart and take turns; and with as much as two in a row have time for, so
// that none may be in their way.
func TestSlowAdmissionNarrowly(t *testing.T) {
	t.Parallel()
	var took []time.Duration
	for d := 2460 * time.Millisecond; d <= 2520*time.Millisecond; d += 10 * time.Millisecond {
		took = append(took, d)
	}
	for d := 3700 * time.Millisecond; d <= 4900*time.Millisecond; d += 300 * time.Millisecond {
		took = append(took, d)
	}
	for _, took := range took {
		for _, trip := range []time.Duration{0, 20 * time.Millisecond, 300 * time.Millisecond} {
			if took+trip > 4950*time.Millisecond {
				continue
			}
			t.Run(fmt.Sprint(took, "+", trip), func(t *testing.T) {
				inWorld(t, func(w *world) {
					w.wraps["a"] = func(next http.RoundTripper) http.RoundTripper {
						return &admitting{l: w.lab, took: took, next: next}
					}
					w.Link("a").Inject(delayed(trip/2, trip/2))
					w.start("a")
					sleep(3 * time.Minute)
					require.Equal(w, []string{"a"}, w.started(), "one term")
				})
			})
		}
	}
}

// TestListThatAGetRefutedEndsNoTerm: a release is in the server's cache, and lost to
// its store. Who takes the Lease keeps it, whatever lists go on to show.
func TestListThatAGetRefutedEndsNoTerm(t *testing.T) {
	inLab(t, func(l lab) {
		a := l.run(l.elector("a"), idle)
		sleep(3 * second)
		backup := l.Snapshot()
		sleep(30 * second)
		a.stop()
		require.NoError(l, a.wait(l))
		l.RestoreUnderCache(backup)
		b := l.elector("b")
		l.run(b, idle)
		sleep(16 * second)
		require.Equal(l, singleton.StateActive, b.Status().State)
		term := b.Status().Token
		for range 10 { // each has the watch, and with it the list, begin anew
			l.Link("b").EndWatches()
			sleep(3 * second)
			require.Equal(l, term, b.Status().Token)
		}
	})
}
