package singleton_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// Raises and releases of which a copy arrives late, unheard, or twice.

// fate of a write: what becomes of it on the way there and back.
type fate struct {
	before, after time.Duration
	status        int // it is answered with instead
}

// fated gives each patch that matches its fate. What is on its way arrives, also if
// its sender has given up.
func fated(match func(body string) bool, f func(n int32) fate) func(http.RoundTripper) http.RoundTripper {
	var n atomic.Int32
	return func(pass http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodPatch {
				return pass.RoundTrip(r)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			if !match(string(body)) {
				return pass.RoundTrip(r)
			}
			type reply struct {
				res *http.Response
				err error
			}
			done := make(chan reply, 1)
			fate := f(n.Add(1))
			go func() {
				time.Sleep(fate.before)
				if fate.status != 0 {
					done <- reply{res: failed(r, fate.status)}
					return
				}
				late := r.Clone(context.WithoutCancel(r.Context()))
				late.Body = io.NopCloser(bytes.NewReader(body))
				res, err := pass.RoundTrip(late)
				time.Sleep(fate.after)
				done <- reply{res, err}
			}()
			select {
			case x := <-done:
				return x.res, x.err
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
	}
}

func failed(r *http.Request, status int) *http.Response {
	reason := map[int]string{http.StatusForbidden: "Forbidden", http.StatusInternalServerError: "InternalError"}[status]
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d}`, reason, status)
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r, Body: io.NopCloser(strings.NewReader(body)),
	}
}

func raises(body string) bool {
	const epoch = `"add","path":"/metadata/annotations/hotseat-go.github.io~1fencing-epoch","value":`
	return !releases(body) && (strings.Contains(body, epoch+`"801"`) || strings.Contains(body, epoch+`"901"`))
}

func releases(body string) bool { return strings.Contains(body, " after ") }

// A term is not ended by its own two raises, whichever arrives when.
func TestTwoRaisesOfATerm(t *testing.T) {
	for name, test := range map[string]struct {
		late   time.Duration
		second time.Duration // how long the second one is waited for
	}{
		"both given up": {3 * second, second}, "the second meets the first": {2400 * time.Millisecond, 20 * second},
		"the first arrives beside the second": {1500 * time.Millisecond, 20 * second},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				e := l.electorThrough("a", fated(raises, func(int32) fate { return fate{before: test.late} }), mayRaise)
				var term *singleton.Term
				l.run(e, firstTerm(func(_ context.Context, t *singleton.Term) { term = t }))
				sleep(5 * second)
				raise := func(mark int64, patience time.Duration) error {
					short, cancel := context.WithTimeout(context.Background(), patience)
					defer cancel()
					defer sleep(10 * time.Millisecond)
					return term.Raise(short, mark)
				}
				require.Error(l, raise(800, second))
				_ = raise(900, test.second)
				sleep(time.Minute)
				require.True(l, term.Valid())
				epoch, err := l.record().Epoch()
				require.NoError(l, err)
				require.Equal(l, epoch, term.Token().Epoch)
			})
		})
	}
}

// Nor by one whose copy was refused for good before it arrived.
func TestRaiseBesideAForbiddenCopy(t *testing.T) {
	inLab(t, func(l lab) {
		e := l.electorThrough("a", fated(raises, func(n int32) fate {
			if n == 1 {
				return fate{before: 4 * second}
			}
			return fate{status: http.StatusForbidden}
		}), mayRaise)
		var term *singleton.Term
		l.run(e, firstTerm(func(_ context.Context, t *singleton.Term) { term = t }))
		sleep(5 * second)
		l.Forbid("a", "update")
		require.Error(l, term.Raise(context.Background(), 800))
		sleep(20 * second)
		require.True(l, term.Valid())
		require.EqualValues(l, 801, term.Token().Epoch)
	})
}

// An announcement that finds the mark above which work raises is no refusal.
func TestRaiseBesideAnAnnouncement(t *testing.T) {
	inLab(t, func(l lab) {
		guard := memory(l)
		e := l.elector("a", fenced(mayRaise, guard), func(c *singleton.Config) { c.Fencing.AnnouncePeriod = 10 * second })
		var term *singleton.Term
		l.run(e, firstTerm(func(_ context.Context, t *singleton.Term) { term = t }))
		sleep(9500 * time.Millisecond)
		l.Link("a").Inject(delayed(second, 0, "patch"))
		require.NoError(l, guard.Announce(context.Background(), above(800)))
		require.NoError(l, term.Raise(context.Background(), 800))
		sleep(20 * second)
		require.True(l, term.Valid())
	})
}

// putBackOver has b take the Lease once a's release has arrived unheard, and puts
// before back over b's term, which is cut off. That no two are on, the world checks.
type putBackOver struct{ gap, mistyped, anew bool }

func (test putBackOver) play(w *world, before *atomic.Pointer[coordv1.Lease], nobody time.Duration) {
	a := w.start("a")
	s := w.observe("s")
	sleep(5 * second)
	if test.mistyped {
		was := w.record().Lease().Annotations[lease.AnnotationEpoch]
		w.edit(raised)
		sleep(second / 2)
		w.edit(func(x *coordv1.Lease) { x.Annotations[lease.AnnotationEpoch] = was })
	} else {
		a.Resign()
	}
	sleep(second / 2)
	w.start("b") // which did not see the mistyped epoch
	if test.gap {
		w.Link("s").Cut()
	}
	for before.Load() == nil {
		sleep(10 * time.Millisecond)
	}
	require.Less(w, w.nobodyFor(second), nobody)
	require.Equal(w, "b", w.who())
	w.Link("b").BlackHole()
	sleep(100 * time.Millisecond)
	w.putBack(before.Load())
	sleep(50 * time.Millisecond)
	if test.gap {
		w.Link("s").Heal()
	}
	s.SetEligible(!test.anew)
	sleep(3 * second)
	if test.anew {
		w.start("n")
	}
	sleep(20 * second)
}

// A release whose answer is lost is repeated, but not over another term's record, which
// an edit made this one's again. It would prove nothing of who came in between.
func TestReleaseIsNotRepeatedOverAPutBack(t *testing.T) {
	for name, test := range map[string]putBackOver{
		"shown": {}, "across a gap": {gap: true}, "the epoch had been mistyped": {mistyped: true}, "beside a new process": {anew: true},
	} {
		t.Run(name, func(t *testing.T) {
			var before atomic.Pointer[coordv1.Lease]
			inWorldWith(t, func(w *world) {
				w.drain = 2 * second
				w.wraps["a"] = fated(releases, func(n int32) fate {
					if n > 1 {
						return fate{}
					}
					before.Store(w.Lease("shop", "invoicer"))
					return fate{after: 15 * second}
				})
			}, func(w *world) { test.play(w, &before, second) })
		})
	}
}

// A release that is refused may have arrived by another copy of it: one that was sent
// beside it, or by the client itself. It is not repeated over what an edit put back.
func TestRefusedReleaseMayHaveArrived(t *testing.T) {
	for name, test := range map[string]putBackOver{"across a gap": {gap: true}, "beside a new process": {anew: true}, "shown": {}} {
		t.Run(name, func(t *testing.T) {
			var before atomic.Pointer[coordv1.Lease]
			inWorldWith(t, func(w *world) {
				w.drain = 0
				w.wraps["a"] = fated(releases, func(n int32) fate {
					switch n {
					case 1:
						return fate{before: 3 * second}
					case 2:
						before.Store(w.Lease("shop", "invoicer"))
						return fate{after: 5 * second}
					}
					return fate{}
				})
			}, func(w *world) { test.play(w, &before, second/4) })
		})
	}
}

// Edits and failures that change nothing of who is at work do not cost the release.
func TestReleaseAmidEditsAndFailures(t *testing.T) {
	for name, test := range map[string]struct {
		fate func(w *world, n int32) fate
		end  func(w *world, a *singleton.Elector)
	}{
		"edited, and failed": {func(w *world, n int32) fate {
			if n == 1 {
				_ = w.EditLease("shop", "invoicer", func(x *coordv1.Lease) { x.Labels = map[string]string{"team": "a"} })
			}
			return map[int32]fate{2: {status: http.StatusInternalServerError}}[n]
		}, func(_ *world, a *singleton.Elector) { a.Resign() }},
		"late, and edited": {func(_ *world, n int32) fate {
			return map[int32]fate{1: {before: 4 * second}}[n]
		}, func(w *world, a *singleton.Elector) {
			a.Resign()
			sleep(second)
			w.edit(func(x *coordv1.Lease) { x.Labels = map[string]string{"team": "a"} })
		}},
		"fenced by hand, and failed": {func(_ *world, n int32) fate {
			return map[int32]fate{2: {status: http.StatusInternalServerError}}[n]
		}, func(w *world, _ *singleton.Elector) {
			w.edit(func(x *coordv1.Lease) { x.Annotations[lease.AnnotationEpoch] = "1000000" })
		}},
	} {
		for _, replicas := range []string{"a", "ab"} {
			t.Run(name+" "+replicas, func(t *testing.T) {
				inWorldWith(t, func(w *world) {
					w.wraps["a"] = fated(releases, func(n int32) fate { return test.fate(w, n) })
				}, func(w *world) {
					a := w.start("a")
					if replicas == "ab" {
						w.start("b")
					}
					sleep(5 * second)
					test.end(w, a)
					sleep(w.drain + 100*time.Millisecond)
					require.Less(w, w.nobodyFor(time.Minute), 8*second)
					sleep(10 * second)
				})
			})
		}
	}
}
