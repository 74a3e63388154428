package singleton_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/singleton"
)

// API servers that stall at a bad moment, and requests that never end.

// The holder stops gracefully, the standby's acquire is committed, and the API
// server stalls right then: nobody works for as long as that, and no longer. Where
// answers hang or are lost the next try tells.
func TestUnheardAcquire(t *testing.T) {
	t.Parallel()
	stalls := []time.Duration{second, 2 * second, 2400 * time.Millisecond, 3 * second, 4 * second, 5200 * time.Millisecond, 6 * second, 9 * second}
	writes, all := []string{"update", "patch", "create"}, []string{"update", "patch", "create", "get", "list"}
	for _, stall := range stalls {
		for name, fault := range map[string]apiserver.Fault{"writes": {Verbs: writes, DelayAfter: stall}, "everything": {Verbs: all, DelayAfter: stall}} {
			t.Run("late/"+name+"/"+stall.String(), func(t *testing.T) { unheard(t, fault, stall, stall+100*time.Millisecond) })
		}
		if stall > 6*second {
			continue
		}
		for name, fault := range map[string]apiserver.Fault{"writes": {Verbs: writes, HangAnswer: true}, "everything": {Verbs: all, HangAnswer: true}} {
			t.Run("hang/"+name+"/"+stall.String(), func(t *testing.T) { unheard(t, fault, stall, stall+2500*time.Millisecond) })
		}
		if stall > 3*second {
			continue
		}
		for name, fault := range map[string]apiserver.Fault{"writes": {Verbs: writes, LoseAnswer: true}, "everything": {Verbs: all, LoseAnswer: true}} {
			t.Run("lost/"+name+"/"+stall.String(), func(t *testing.T) { unheard(t, fault, stall, stall+2500*time.Millisecond) })
		}
	}
}

// unheard has b take over during a stall, and bounds for how long nobody works.
func unheard(t *testing.T, fault apiserver.Fault, stall, most time.Duration) {
	for _, shared := range []bool{false, true} {
		inWorldWith(t, func(w *world) { w.shared = shared }, func(w *world) {
			_, a := w.replica("a", true)
			w.start("b")
			sleep(time.Minute)
			remove := w.Link("b").Inject(fault)
			time.AfterFunc(stall, remove)
			a.stop()
			sleep(0)
			require.LessOrEqual(w, w.nobodyFor(time.Minute), most)
			require.Equal(w, "b", w.who())
		})
	}
}

// At 800 ms round trip the last renewal is under way when SIGTERM comes: the
// successor is active three round trips and a second later at the latest.
func TestHandoverAtLongRoundTrips(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	for _, trip := range []time.Duration{100 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond} {
		for _, standbys := range []string{"b", "bc"} {
			for at := time.Duration(0); at < 2*second; at += 100 * time.Millisecond { // anywhere between renewals
				inWorldWith(t, func(w *world) { w.shared = at%(200*time.Millisecond) == 0 }, func(w *world) {
					for _, who := range []string{"a", "b", "c"} {
						w.Link(who).Inject(delayed(trip/2, trip/2))
					}
					_, a := w.replica("a", true)
					require.LessOrEqual(w, w.nobodyFor(time.Minute), 5*trip)
					for _, who := range standbys {
						w.start(string(who))
					}
					sleep(time.Minute + at)
					a.stop()
					sleep(time.Microsecond)
					require.Empty(w, w.who())
					require.LessOrEqual(w, w.nobodyFor(time.Minute), 3*trip+second, "round trip %v, %v after", trip, at)
				})
			}
		}
	}
}

// hanging is a client whose requests, once told to, do not end with their context.
type hanging struct {
	next http.RoundTripper
	hang chan struct{} // closed: they hang
	free chan struct{} // closed: they end
	all  bool
}

func (h hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-h.hang:
		if h.all || r.Method != http.MethodGet {
			<-h.free
			return nil, http.ErrHandlerTimeout
		}
	default:
	}
	return h.next.RoundTrip(r)
}

// A credential plugin that hangs, whatever the request's context says. It holds
// nothing up: work ends in time, Run returns soon after it is told to.
func TestRequestThatDoesNotEnd(t *testing.T) {
	for name, all := range map[string]bool{"each": true, "writes": false} {
		for _, shared := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				for _, state := range []string{"active", "standby", "starting", "draining"} {
					inWorldWith(t, func(w *world) { w.shared = shared }, func(w *world) {
						h := hanging{hang: make(chan struct{}), free: make(chan struct{}), all: all}
						defer close(h.free) // after Run: nobody waited for it
						w.wraps["a"] = func(next http.RoundTripper) http.RoundTripper { h.next = next; return h }
						log := &lines{}
						if state == "starting" {
							close(h.hang)
						}
						if state == "standby" {
							w.start("b")
						}
						e, a := w.replica("a", true, func(c *singleton.Config) { c.Logger = log.logger() })
						sleep(5 * second)
						if state != "starting" {
							close(h.hang)
						}
						if state == "active" || state == "draining" {
							require.True(w, w.on("a"))
							if state == "draining" {
								w.drain = 3 * second
								e.Resign()
							}
							began := time.Now()
							for w.on("a") && time.Since(began) < time.Minute {
								sleep(10 * time.Millisecond)
							}
							require.LessOrEqual(w, time.Since(began), 10100*time.Millisecond, "its validity is over")
						}
						sleep(3 * time.Minute)
						told := time.Now()
						a.stop()
						<-a.done
						require.NoError(w, a.err)
						require.LessOrEqual(w, time.Since(told), 3*second, state)
						if state != "standby" && (all || state == "active") {
							require.Positive(w, log.count("WARN"))
						}
						require.Less(w, log.count("\n"), 60)
					})
				}
			})
		}
	}
}

// The same at SIGTERM: work returns, and Run soon after it.
func TestShutdownWithARequestThatDoesNotEnd(t *testing.T) {
	for _, drain := range []time.Duration{0, second, 3 * second} {
		inWorldWith(t, func(w *world) { w.drain = drain }, func(w *world) {
			h := hanging{hang: make(chan struct{}), free: make(chan struct{}), all: true}
			defer close(h.free)
			w.wraps["a"] = func(next http.RoundTripper) http.RoundTripper { h.next = next; return h }
			_, a := w.replica("a", true)
			w.start("b")
			sleep(3 * second)
			close(h.hang)
			sleep(second) // a renewal hangs
			told := time.Now()
			a.stop()
			<-a.done
			require.LessOrEqual(w, time.Since(told), 10*second, "what is left of its validity")
			require.NoError(w, a.err)
			sleep(20 * second)
			require.Equal(w, "b", w.who())
		})
	}
}

// A Floor, a guard and a hook are the user's; what hangs there must not hold Run
// beyond its own time either.
func TestFloorThatDoesNotEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		free := make(chan struct{})
		defer close(free)
		_, a := w.replica("a", true, func(c *singleton.Config) {
			c.Fencing.Floor = func(context.Context) (int64, error) { <-free; return 0, nil }
		})
		sleep(time.Minute)
		told := time.Now()
		a.stop()
		<-a.done
		require.LessOrEqual(w, time.Since(told), 3*second)
	})
}
