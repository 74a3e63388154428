package protocol_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// lies are bodies of a 200 that are not what was written.
func (b *bed) lies() map[string]func() string {
	as := func(edit func(*coordv1.Lease)) func() string {
		return func() string {
			l := b.c.Lease(ns, name)
			l.APIVersion, l.Kind = "coordination.k8s.io/v1", "Lease"
			edit(l)
			body, err := json.Marshal(l)
			if err != nil {
				b.Error(err)
			}
			return string(body)
		}
	}
	return map[string]func() string{
		"{}":             func() string { return "{}" },
		"a Status":       func() string { return `{"kind":"Status","apiVersion":"v1","status":"Success"}` },
		"another holder": as(func(l *coordv1.Lease) { l.Spec.HolderIdentity = new("liar") }),
		"nobody":         as(func(l *coordv1.Lease) { l.Spec = coordv1.LeaseSpec{} }),
		"as it was":      as(func(l *coordv1.Lease) {}),
		"another UID":    as(func(l *coordv1.Lease) { l.UID = "u-liar" }),
	}
}

// Rule R4: any 200 is looked into. A lie never makes a term, nor prolongs one; told
// of a write that happened, the store's own answer would say so.
func TestLyingAnswers(t *testing.T) {
	for _, name := range []string{"{}", "a Status", "another holder", "nobody", "as it was", "another UID"} {
		for _, refused := range []bool{false, true} { // the verb patch: then by update
			t.Run(name+map[bool]string{true: ", by update"}[refused], func(t *testing.T) {
				inBed(t, apiserver.Options{}, func(b *bed) {
					b.ship()
					body := b.lies()[name]
					lying := false
					l := b.lockThrough(func(r *http.Request, pass http.RoundTripper) (*http.Response, error) {
						switch {
						case refused && r.Method == http.MethodPatch:
							return answer(r, http.StatusForbidden, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`), nil
						case lying && r.Method != http.MethodGet:
							return answer(r, http.StatusOK, body()), nil
						}
						return pass.RoundTrip(r)
					})
					lying = true
					from, unwritten := b.claim(l)
					for what, request := range map[string]func(context.Context, protocol.Record, protocol.Claim) (protocol.Claim, error){"take": l.Take, "ensure": l.Ensure} {
						got, err := request(b.Context(), from, unwritten)
						require.Error(b, err, what)
						require.True(b, got.Sent.IsZero(), what)
					}
					require.Empty(b, b.stored().Holder())

					lying = false
					claim := b.acquire(l)
					lying = true
					was := b.stored().Lease()
					for what, request := range map[string]func() (protocol.Claim, error){
						"renew":  func() (protocol.Claim, error) { return l.Renew(b.Context(), claim) },
						"ensure": func() (protocol.Claim, error) { return l.Ensure(b.Context(), from, claim) },
						"raise":  func() (protocol.Claim, error) { return l.Raise(b.Context(), claim, 800) },
					} {
						got, err := request()
						require.Error(b, err, what)
						require.NotErrorIs(b, err, lease.ErrUnversioned, what)
						if what != "ensure" { // which gives no claim then
							assert.Zero(b, got.Sent.Sub(claim.Sent), what)
						} else {
							assert.False(b, got.Sent.After(claim.Sent), what)
						}
					}
					require.Equal(b, was, b.c.Lease(ns, "invoicer"))
					lying = false
					claim, err := l.Renew(b.Context(), claim)
					require.NoError(b, err)
					b.holds(claim)
				})
			})
		}
	}
}

// A lie may carry the very time that was to be written, and nothing else of it.
func TestLiesWithTheTimeThatWasWritten(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		earlier := b.acquire(b.a) // so that the holder is right, too
		l := b.lockThrough(func(r *http.Request, pass http.RoundTripper) (*http.Response, error) {
			if r.Method != http.MethodPatch {
				return pass.RoundTrip(r)
			}
			var ops []struct {
				Op, Path string
				Value    any
			}
			if err := json.NewDecoder(r.Body).Decode(&ops); err != nil {
				b.Error(err)
				return nil, err
			}
			stored := b.c.Lease(ns, name)
			stored.APIVersion, stored.Kind, stored.ResourceVersion = "coordination.k8s.io/v1", "Lease", "9000"
			for _, op := range ops {
				if op.Op == "add" && op.Path == "/spec/renewTime" {
					written, err := time.Parse(time.RFC3339Nano, op.Value.(string))
					if err != nil {
						b.Error(err)
						return nil, err
					}
					stored.Spec.RenewTime.Time = written
				}
			}
			body, err := json.Marshal(stored)
			if err != nil {
				b.Error(err)
				return nil, err
			}
			return answer(r, http.StatusOK, string(body)), nil
		})
		from, claim := b.claim(l)
		for what, request := range map[string]func(context.Context, protocol.Record, protocol.Claim) (protocol.Claim, error){"take": l.Take, "ensure": l.Ensure} {
			got, err := request(b.Context(), from, claim)
			require.Error(b, err, what)
			require.True(b, got.Sent.IsZero(), what)
		}
		require.Equal(b, earlier.Token.Term, b.stored().Term())
	})
}

// A lie about a write that did happen costs no term: the store is asked.
func TestLieAboutAWriteThatHappened(t *testing.T) {
	for _, name := range []string{"{}", "another holder", "nobody"} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				body := b.lies()[name]
				lies := 0
				l := b.lockThrough(func(r *http.Request, pass http.RoundTripper) (*http.Response, error) {
					got, err := pass.RoundTrip(r)
					if r.Method == http.MethodPatch && lies > 0 && err == nil {
						lies--
						_ = got.Body.Close()
						got = answer(r, http.StatusOK, body())
					}
					return got, err
				})
				lies = 1
				claim, err := b.take(l)
				require.NoError(b, err)
				b.holds(claim)
				if name == "another holder" {
					return // told so of a renewal one stops: that is safe
				}
				lies = 1
				claim, err = l.Renew(b.Context(), claim)
				require.NoError(b, err)
				b.holds(claim)
			})
		})
	}
}

// Lies of reads are no looks.
func TestLyingReads(t *testing.T) {
	for _, body := range []string{`{}`, `{"kind":"Status","apiVersion":"v1","status":"Success"}`, `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"other","uid":"u","resourceVersion":"7"}}`} {
		inBed(t, apiserver.Options{}, func(b *bed) {
			b.ship()
			l := b.lockThrough(func(r *http.Request, pass http.RoundTripper) (*http.Response, error) {
				return answer(r, http.StatusOK, body), nil
			})
			for what, look := range map[string]func(context.Context) (protocol.Observation, error){"list": l.List, "get": l.Get, "confirm": l.Confirm} {
				o, err := look(b.Context())
				require.Error(b, err, what)
				require.False(b, o.Record.Exists(), what)
			}
			_, looked, err := l.Before(b.Context(), b.stored())
			require.True(b, err != nil || !looked)
		})
	}
}

// Before is believed only of the version that was asked for.
func TestBeforeOfAServerThatAnswersWithThePresent(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		require.NoError(b, b.a.Release(b.Context(), b.acquire(b.a)))
		l := b.lockThrough(func(r *http.Request, pass http.RoundTripper) (*http.Response, error) {
			r = r.Clone(r.Context())
			q := r.URL.Query()
			q.Del("resourceVersion")
			q.Del("resourceVersionMatch")
			r.URL.RawQuery = q.Encode()
			return pass.RoundTrip(r)
		})
		_, looked, err := l.Before(b.Context(), b.stored())
		require.NoError(b, err)
		require.False(b, looked)

		// Nor is what has become of the Lease since.
		gone := b.stored()
		require.True(b, b.c.DeleteLease("shop", "invoicer"))
		_, looked, err = l.Before(b.Context(), gone)
		require.NoError(b, err)
		require.False(b, looked)
	})
}
