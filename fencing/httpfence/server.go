package httpfence

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"github.com/hotseat-go/hotseat/fencing"
)

// ServerConfig configures a [Server].
type ServerConfig struct {
	// Guard judges the tokens and follows the requests in flight. Required.
	Guard fencing.Tracker

	// Scope is the only one whose tokens are taken: [fencing.Scope] of the Lease. Required. A server of several makes
	// one Server for each.
	Scope string

	// Fenced reports whether a request needs a token. Default: all but GET, HEAD and OPTIONS, and those too if they
	// ask for another protocol (Upgrade). A token is judged wherever one is sent.
	Fenced func(*http.Request) bool
}

// Server stands before the handlers of a resource. Make one with [NewServer]; all methods are safe for concurrent use.
type Server struct{ config ServerConfig }

// NewServer fails when cfg lacks Guard, or Scope cannot be that of a token.
func NewServer(cfg ServerConfig) (*Server, error) {
	if g := reflect.ValueOf(cfg.Guard); !g.IsValid() || g.Kind() == reflect.Pointer && g.IsNil() {
		return nil, fmt.Errorf("httpfence: ServerConfig.Guard is nil (%T), must be set", cfg.Guard)
	}
	if err := fencing.ValidateScope(cfg.Scope); err != nil {
		return nil, fmt.Errorf("httpfence: ServerConfig.Scope: %w", err)
	}
	if cfg.Fenced == nil {
		cfg.Fenced = writes
	}
	return &Server{cfg}, nil
}

// token of a request; its scope is the Server's.
func (s *Server) token(r *http.Request) (fencing.Token, error) {
	t, err := FromHeader(r.Header)
	if err == nil {
		err = fencing.OwnToken(t, s.config.Scope)
	}
	return t, err
}

// Middleware lets requests through to next whose token the guard admits, and answers the others with [Refuse].
//
// The request is in flight at the guard until next returns or panics, so no effect of it can land after a newer term was
// admitted. Its context carries the token, and ends when a newer term arrives, with a [*fencing.StaleError] as its cause.
// From then on reads of the body fail with that error, and reads and writes of the connection fail at once, so that next
// gets out of where it blocks (if w supports deadlines, as net/http's do; next must not extend them then). What it answers
// even so is sent, over HTTP/2 only if it is short. If it returns without a word, and could know that its context had ended, the
// answer is 412 with the mark; if it had begun a body by then and does not go on, the connection is broken off, so that the body
// does not look complete. Its ResponseWriter can flush, hijack and push if w can, also by [http.ResponseController].
//
// A request that needs no token and has none is passed on as it is. One that needs a token and has none is refused, unless
// something around the middleware put [fencing.AllowUnfenced] into its context.
func (s *Server) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := s.token(r)
		missing := errors.Is(err, fencing.ErrMissing)
		if missing && !s.config.Fenced(r) {
			next.ServeHTTP(w, r)
			return
		}
		if err != nil && !missing {
			Refuse(w, err)
			return
		}
		ctx, leave, err := s.config.Guard.Enter(r.Context(), token) // it knows what to do about a missing one
		if err != nil {
			Refuse(w, err)
			return
		}
		defer leave()
		s.serve(ctx, token, next, w, r)
	})
}
