package httpfence

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/hotseat-go/hotseat/fencing"
)

// none is the Fencing-High-Water of a scope that was never seen.
const none = "none"

// Endpoint returns the handler to which [Remote] announces. Serve it at its own path, beside the
// middleware and behind the same authentication.
//
//	POST             announce the Fencing-Token: 204 once it is admitted and older work has left
//	GET ?scope=...   204, Fencing-High-Water is the mark of the scope, or none
//
// Each 204 has a Fencing-High-Water, so that a success status from some other server is not
// mistaken for a successful announcement. Refusals are as in the package comment. Other methods get
// 405.
func (s *Server) Endpoint() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var mark fencing.Token
		var err error
		switch r.Method {
		case http.MethodPost:
			mark, err = s.announce(r)
		case http.MethodGet:
			mark, err = s.mark(r)
		default:
			w.Header().Set("Allow", http.MethodGet+", "+http.MethodPost)
			http.Error(w, "GET or POST", http.StatusMethodNotAllowed)
			return
		}
		value := none
		if err == nil && !mark.IsZero() {
			value, err = Format(mark)
		}
		if err != nil {
			Refuse(w, err)
			return
		}
		w.Header().Set(HeaderMark, value)
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
	})
}

func (s *Server) announce(r *http.Request) (fencing.Token, error) {
	t, err := s.token(r)
	if err != nil {
		return fencing.Token{}, err
	}
	return t, s.config.Guard.Announce(r.Context(), t)
}

func (s *Server) mark(r *http.Request) (fencing.Token, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(query["scope"]) != 1 {
		return fencing.Token{}, fmt.Errorf("%w: query is %.400q, must be scope=SCOPE",
			fencing.ErrMalformed, r.URL.RawQuery)
	}
	scope := query.Get("scope")
	if err := fencing.OwnScope(scope, s.config.Scope); err != nil {
		return fencing.Token{}, err
	}
	return s.config.Guard.Mark(r.Context(), scope)
}
