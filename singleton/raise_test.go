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

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// Raises that are slow, swallowed, or meet an epoch raised by an operator.

// patches has f see the body of each patch; one of which f returns false is swallowed.
func patches(f func(body string) bool) func(http.RoundTripper) http.RoundTripper {
	return func(pass http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPatch {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return nil, err
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				if !f(string(body)) {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
			}
			return pass.RoundTrip(r)
		})
	}
}

// swallowRaises swallows the first most patches that write that epoch, or one that
// begins so.
func swallowRaises(most int32, epoch string) func(http.RoundTripper) http.RoundTripper {
	var seen atomic.Int32
	return patches(func(body string) bool {
		return !strings.Contains(body, `"add","path":"/metadata/annotations/hotseat-go.github.io~1fencing-epoch","value":"`+epoch) || seen.Add(1) > most
	})
}

func mayRaise(c *singleton.Config) { c.Fencing.MaxRaise = 10_000 }

// firstTerm is work that hands its first term to f and goes on until it ends.
func firstTerm(f func(ctx context.Context, t *singleton.Term)) singleton.Work {
	var terms atomic.Int32
	return func(ctx context.Context, t *singleton.Term) error {
		if terms.Add(1) == 1 {
			f(ctx, t)
		}
		<-ctx.Done()
		return nil
	}
}

// A term never shows an epoch that is not on the Lease: its successor's would be lower,
// and a guard would let a stale write through. (Hostile review: renewals of the old
// epoch, answered after the raise was given up, published it.)
func TestRaisedEpochIsShownOnceItIsOnTheLease(t *testing.T) {
	for _, patience := range []time.Duration{second, 3 * second, 5 * second, 20 * second} {
		inLab(t, func(l lab) {
			guard := memory(l)
			more := fenced(mayRaise, guard)
			l.Link("a").Inject(delayed(second, second, "patch"))
			a := l.electorThrough("a", swallowRaises(9, "801"), more)
			var term atomic.Pointer[singleton.Term]
			raised := make(chan error, 1)
			l.run(a, firstTerm(func(ctx context.Context, t *singleton.Term) {
				term.Store(t)
				time.Sleep(7500 * time.Millisecond)
				short, cancel := context.WithTimeout(ctx, patience)
				defer cancel()
				raised <- t.Raise(short, 800)
			}))
			sleep(5 * second)
			b := l.elector("b", more)
			l.run(b, idle)
			shown := func(until time.Duration) {
				for began := time.Now(); time.Since(began) < until; sleep(20 * time.Millisecond) {
					epoch, err := l.record().Epoch()
					require.NoError(l, err)
					require.LessOrEqual(l, term.Load().Token().Epoch, epoch)
				}
			}
			shown(8*second + patience)
			l.Link("a").BlackHole()
			shown(40 * second)
			require.Error(l, <-raised)
			require.Equal(l, singleton.StateActive, b.Status().State)
			require.Greater(l, b.Status().Token.Epoch, term.Load().Token().Epoch)
			require.ErrorIs(l, guard.Check(context.Background(), term.Load().Token()), fencing.ErrStale)
		})
	}
}

// One that arrived unheard is found out by a renewal, and the guards are told.
func TestRaiseThatArrivedUnheardIsAnnounced(t *testing.T) {
	inLab(t, func(l lab) {
		guard := memory(l)
		unheard := fated(raises, func(int32) fate { return fate{after: 5 * second} })
		ctx, term := l.work(l.electorThrough("a", unheard, fenced(mayRaise, guard)))
		short, cancel := context.WithTimeout(ctx, second)
		defer cancel()
		require.Error(l, term.Raise(short, 800))
		sleep(8 * second)
		mark, err := guard.Mark(l.Context(), fencing.Scope("shop", "invoicer"))
		require.NoError(l, err)
		require.EqualValues(l, 801, mark.Epoch)
	})
}

// Rule E4 holds under a raise, too: also while it hangs, or after it never left the
// machine, and for an epoch below its own, written by hand.
func TestEpochRaisedByHandUnderARaise(t *testing.T) {
	for name, wrap := range map[string]func(http.RoundTripper) http.RoundTripper{
		"on its way": swallowRaises(0, "8"), "swallowed": swallowRaises(1, "8"), "each swallowed": swallowRaises(1000, "8"),
	} {
		for _, byHand := range []string{"700", "900", "5000"} {
			t.Run(name+" "+byHand, func(t *testing.T) {
				inLab(t, func(l lab) {
					l.Link("a").Inject(delayed(second, 0, "patch", "get"))
					var term *singleton.Term
					l.run(l.electorThrough("a", wrap, mayRaise), firstTerm(func(ctx context.Context, t *singleton.Term) {
						term = t
						go func() {
							for mark := int64(800); mark < 890 && ctx.Err() == nil; mark += 2 {
								_ = t.Raise(ctx, mark)
							}
						}()
					}))
					sleep(5200 * time.Millisecond)
					was := term.Token().Epoch
					l.edit(func(x *coordv1.Lease) { x.Annotations[lease.AnnotationEpoch] = byHand })
					if byHand == "700" && was > 700 {
						return // mended: it was lowered
					}
					sleep(4 * second)
					require.False(l, term.Valid())
					epoch, err := l.record().Epoch()
					require.NoError(l, err)
					require.GreaterOrEqual(l, fmt.Sprint(epoch), byHand)
				})
			})
		}
	}
	inLab(t, func(l lab) {
		var term *singleton.Term
		l.run(l.elector("a", mayRaise), firstTerm(func(_ context.Context, t *singleton.Term) { term = t }))
		sleep(5 * second)
		l.Link("a").Cut()
		require.Error(l, term.Raise(context.Background(), 800))
		l.Link("a").Heal()
		l.edit(func(x *coordv1.Lease) { x.Annotations[lease.AnnotationEpoch] = "700" })
		sleep(5 * second)
		require.False(l, term.Valid())
	})
}

// A raise that is swallowed is sent again, as a renewal is.
func TestRaiseIsSentAgain(t *testing.T) {
	for _, replicas := range []string{"a", "ab"} {
		inWorldWith(t, func(w *world) { w.wraps["a"] = swallowRaises(1, "901") }, func(w *world) {
			guard := memory(w)
			require.NoError(w, guard.Announce(context.Background(), above(900)))
			for _, who := range replicas {
				w.start(string(who), fenced(mayRaise, guard))
			}
			require.Less(w, w.nobodyFor(time.Minute), 4*second)
		})
	}
}

// A raise in the midst of a term, at various moments, on a server whose admission is
// slow. No term is lost to it while two writes and a half fit into RenewDeadline.
func TestRaiseUnderSlowAdmission(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	for _, took := range []time.Duration{second, 2 * second, 3 * second} {
		for at := time.Duration(0); at < 5*second; at += second / 2 {
			inLab(t, func(l lab) {
				e := l.electorThrough("a", func(next http.RoundTripper) http.RoundTripper {
					return &admitting{l: l, took: took, next: next}
				}, mayRaise)
				ctx, term := l.work(e)
				sleep(40*second + at)
				require.NoError(l, term.Raise(ctx, 800))
				sleep(2 * time.Minute)
				require.EqualValues(l, 801, e.Status().Token.Epoch, "%v at %v", took, at)
			})
		}
	}
}
