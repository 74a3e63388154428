package singleton_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/lease"
)

// Wall clocks that stand still, and answers that are not the store's.

var renewTime = regexp.MustCompile(`("renewTime":\s*|"/spec/renewTime","value":\s*)"[^"]*"`)

func writing(r *http.Request) bool { return r.Method == http.MethodPut || r.Method == http.MethodPatch }

// rewriting passes writes on with another body.
func rewriting(f func(body []byte) []byte) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if writing(r) {
				body, _ := io.ReadAll(r.Body)
				body = f(body)
				r = r.Clone(r.Context())
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			}
			return next.RoundTrip(r)
		})
	}
}

// The renewTime written by hotseat itself moves, so that a clock that stands still
// has to be played by the clock itself: an edit that puts the future there is the
// same to it, since no later reading of the clock lies above it.
func TestStoppedWallClock(t *testing.T) {
	for name, set := range map[string]func(x *coordv1.Lease){
		"an hour ahead":   func(x *coordv1.Lease) { x.Spec.RenewTime.Time = x.Spec.RenewTime.Add(time.Hour) },
		"an hour behind":  func(x *coordv1.Lease) { x.Spec.RenewTime.Time = x.Spec.RenewTime.Add(-time.Hour) },
		"a century ahead": func(x *coordv1.Lease) { x.Spec.RenewTime.Time = x.Spec.RenewTime.AddDate(100, 0, 0) },
	} {
		for _, again := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " each time ", again), func(t *testing.T) {
				everyWay(t, func(w *world) {
					w.start("a")
					w.start("b")
					sleep(5 * second)
					w.edit(set)
					last := w.record().RenewTime()
					for range 10 {
						sleep(2 * second)
						now := w.record().RenewTime()
						require.NotEqual(w, last, now, "a renewal is seen by its time")
						if last = now; again {
							w.edit(set)
							last = w.record().RenewTime()
						}
					}
					w.Link("a").EndWatches()
					w.Link("a").Freeze() // its events are late; its last renewal was acknowledged a moment ago
					sleep(5 * second)
					w.Link("a").Heal()
					sleep(30 * second)
					require.NotEmpty(w, w.who())
				})
			})
		}
	}
}

// Something on the way pins the time of each write, or sets it back. A standby
// must not take the Lease from a holder whose renewals it cannot see.
func TestRenewTimePinnedOnTheWay(t *testing.T) {
	var step atomic.Int64
	for name, at := range map[string]func() time.Time{
		"pinned":   func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) },
		"set back": func() time.Time { return time.Date(2026, 1, 1, 0, 0, -2*int(step.Add(1)), 0, time.UTC) },
	} {
		t.Run(name, func(t *testing.T) {
			everyWay(t, func(w *world) {
				w.wraps["a"] = rewriting(func(body []byte) []byte {
					return renewTime.ReplaceAll(body, []byte(`${1}"`+at().Format("2006-01-02T15:04:05.000000Z")+`"`))
				})
				w.start("a")
				w.start("b")
				sleep(14 * second)
				w.Link("a").EndWatches()
				w.Link("a").Freeze()
				sleep(5 * second)
				w.Link("a").Heal()
				sleep(40 * second)
				require.NotEmpty(w, w.who())
			})
		})
	}
}

// lies are answers of 200 to writes that were not stored.
func lies() map[string]string {
	const meta = `"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"invoicer","namespace":"shop","uid":"1","resourceVersion":"7"}`
	return map[string]string{
		"empty object":      `{}`,
		"a Lease, unheld":   `{` + meta + `,"spec":{}}`,
		"held by another":   `{` + meta + `,"spec":{"holderIdentity":"x"}}`,
		"a Status, Success": `{"kind":"Status","apiVersion":"v1","status":"Success"}`,
		"nothing at all":    ``,
		"a web page":        `<html>welcome</html>`,
	}
}

func answered(r *http.Request, code int, header http.Header, body string) *http.Response {
	header.Set("Content-Type", "application/json")
	return &http.Response{StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

// lying answers writes so, without passing them on.
func lying(body func(stored *coordv1.Lease) string, w *world) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if !writing(r) {
				return next.RoundTrip(r)
			}
			return answered(r, 200, http.Header{}, body(w.Lease("shop", "invoicer"))), nil
		})
	}
}

// A middlebox, a cache or a webhook answers a write with 200, and stores nothing.
// Nobody works on the strength of that.
func TestAcquireAnsweredWithAnotherRecord(t *testing.T) {
	for i, name := range slices.Sorted(maps.Keys(lies())) {
		answer := lies()[name]
		t.Run(name, func(t *testing.T) {
			someWay(t, i, func(w *world) {
				w.wraps["a"] = lying(func(*coordv1.Lease) string { return answer }, w)
				w.start("b") // holds it
				sleep(second)
				w.Link("b").Freeze()
				sleep(14500 * time.Millisecond)
				w.start("a")
				for range 400 {
					sleep(100 * time.Millisecond)
					require.False(w, w.on("a"), "nothing of a's is on the Lease")
				}
			})
			someWay(t, i+1, func(w *world) { // a Lease that is free
				w.wraps["a"] = lying(func(*coordv1.Lease) string { return answer }, w)
				w.start("a")
				sleep(20 * second)
				require.False(w, w.on("a"))
				w.start("b")
				sleep(20 * second)
				require.Equal(w, "b", w.who())
			})
		})
	}
	t.Run("as it was", func(t *testing.T) {
		inWorld(t, func(w *world) {
			w.wraps["a"] = func(next http.RoundTripper) http.RoundTripper {
				return roundTrip(func(r *http.Request) (*http.Response, error) {
					if !writing(r) {
						return next.RoundTrip(r)
					}
					get := r.Clone(r.Context())
					get.Method, get.Body, get.ContentLength = http.MethodGet, nil, 0
					return next.RoundTrip(get)
				})
			}
			w.start("a")
			sleep(30 * second)
			require.False(w, w.on("a"))
		})
	})
}

// The same of renewals: they prolong nothing.
func TestRenewalAnsweredWithAnotherRecord(t *testing.T) {
	for i, name := range slices.Sorted(maps.Keys(lies())) {
		answer := lies()[name]
		t.Run(name, func(t *testing.T) {
			someWay(t, i, func(w *world) {
				var on atomic.Bool
				w.wraps["a"] = func(next http.RoundTripper) http.RoundTripper {
					lie := lying(func(*coordv1.Lease) string { return answer }, w)(next)
					return roundTrip(func(r *http.Request) (*http.Response, error) {
						if on.Load() {
							return lie.RoundTrip(r)
						}
						return next.RoundTrip(r)
					})
				}
				w.start("a")
				w.start("b")
				sleep(5 * second)
				on.Store(true)
				sleep(40 * second)
				require.Equal(w, "b", w.who())
				require.Equal(w, []string{"a", "b"}, w.started())
			})
		})
	}
}

// A webhook changes what is written: the token is not the term's. Nobody works on
// a record that does not carry it.
func TestAcquireRewrittenOnTheWay(t *testing.T) {
	inWorld(t, func(w *world) {
		epoch := regexp.MustCompile(`(fencing-epoch(?:","value)?":)"[0-9]+"`)
		w.wraps["a"] = rewriting(func(body []byte) []byte {
			return epoch.ReplaceAll(body, []byte(`${1}"1"`))
		})
		w.start("a")
		sleep(10 * second)
		require.False(w, w.on("a"))
	})
}

// A 503 with Retry-After that comes after the commit: client-go sends the write
// again by itself, and gets a conflict with its own.
func TestAcquireThatConflictsWithItself(t *testing.T) {
	for i, code := range []int{503, 429, 500} {
		for j, times := range []int{1, 2} {
			t.Run(fmt.Sprint(code, " ", times), func(t *testing.T) {
				someWay(t, 2*i+j, func(w *world) {
					var left atomic.Int64
					left.Store(int64(times))
					w.wraps["a"] = func(next http.RoundTripper) http.RoundTripper {
						return roundTrip(func(r *http.Request) (*http.Response, error) {
							answer, err := next.RoundTrip(r)
							if err == nil && writing(r) && left.Add(-1) >= 0 {
								_, _ = io.Copy(io.Discard, answer.Body)
								_ = answer.Body.Close()
								return answered(r, code, http.Header{"Retry-After": {"1"}}, "busy"), nil
							}
							return answer, err
						})
					}
					w.start("a")
					require.LessOrEqual(w, w.nobodyFor(time.Minute), time.Duration(times)*second+500*time.Millisecond)
					token, _ := w.record().Token()
					sleep(20 * second)
					now, _ := w.record().Token()
					require.Equal(w, token, now, "and keeps it")
				})
			})
		}
	}
}

// An answer of 409 after the commit, to an acquire and to a release.
func TestConflictThatIsNotOne(t *testing.T) {
	inWorld(t, func(w *world) {
		const conflict = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Conflict","code":409}`
		var at atomic.Int64 // which request from now on is answered so
		at.Store(1)
		w.wraps["a"] = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				answer, err := next.RoundTrip(r)
				if n := at.Add(-1); err == nil && writing(r) && n == 0 {
					return answered(r, 409, http.Header{}, conflict), nil
				}
				if !writing(r) {
					at.Add(1)
				}
				return answer, err
			})
		}
		_, a := w.replica("a", true)
		w.Link("b").Inject(apiserver.Fault{DelayAfter: time.Millisecond})
		require.LessOrEqual(w, w.nobodyFor(time.Minute), 3*second)
		w.start("b")
		sleep(5 * second)
		at.Store(1)
		a.stop()
		sleep(0)
		require.LessOrEqual(w, w.nobodyFor(time.Minute), second)
		require.Equal(w, "b", w.who())
		require.NotEmpty(w, w.record().Lease().Annotations[lease.AnnotationTerm])
	})
}
