package writegate

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
)

type gatedTransport struct {
	gate   *Gate
	next   http.RoundTripper
	prefix string
}

// WrappedRoundTripper lets client-go find the transport's dialer and TLS configuration.
func (t *gatedTransport) WrappedRoundTripper() http.RoundTripper { return t.next }

// CloseIdleConnections closes those of the transport behind the gate.
func (t *gatedTransport) CloseIdleConnections() {
	if next, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}

// RoundTrip implements http.RoundTripper.
func (t *gatedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	about := targetOf(r.URL.Path, t.prefix)
	if !writes(r, about) || t.gate.allow != nil && t.gate.allow(r) || t.gate.ownLease(r, about) {
		return t.next.RoundTrip(r)
	}
	stored, stamped := stores(r, about), t.gate.stamps[about.GroupResource] && carries(r, about)
	if !stored && !stamped {
		return t.next.RoundTrip(r)
	}
	term, reason := t.gate.judge(r.Context())
	switch {
	case reason == "":
		return t.send(r, term, stored && !upgrades(r, about), stamped)
	case stored:
		return nil, refuse(r, &Error{Reason: reason})
	default: // a dry run
		return t.next.RoundTrip(r)
	}
}

// judge returns the term that lets a write through, or why none does.
func (g *Gate) judge(ctx context.Context) (*singleton.Term, Reason) {
	term := g.terms.Status().Term
	token, carried := fencing.FromContext(ctx)
	switch {
	case carried && token.Scope == g.scope && (term == nil || term.Token().Term != token.Term):
		return nil, ReasonOver
	case term == nil:
		return nil, ReasonStandby
	case !term.Valid():
		return nil, ReasonLost
	}
	return term, ""
}

// refuse ends a request that is not sent.
func refuse(r *http.Request, e *Error) *Error {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	e.Method, e.Path = r.Method, r.URL.Path
	return e
}

// send sends r under the term. If its body is gated, the transport gets the body's end only while
// the term is valid.
func (t *gatedTransport) send(
	r *http.Request, term *singleton.Term, gated, stamped bool,
) (*http.Response, error) {
	out := r.WithContext(r.Context()) // the caller's own stays as it is
	if stamped {
		if err := stamp(out, term.Token()); err != nil {
			return nil, refuse(r, &Error{Reason: ReasonUnstampable, Err: err})
		}
	}
	var late atomic.Bool // the term ended before the body's end was taken
	if gated {
		gateBody(out, &bodyGate{valid: term.Valid, late: &late, err: &Error{
			Method: r.Method, Path: r.URL.Path, Reason: ReasonLost,
		}})
	}
	answer, err := t.next.RoundTrip(out)
	if err != nil && late.Load() {
		return nil, &Error{Method: r.Method, Path: r.URL.Path, Reason: ReasonLost}
	}
	if answer != nil {
		answer.Request = r
	}
	return answer, err
}
