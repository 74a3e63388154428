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
	// Guard judges the tokens and tracks the requests in flight. Required.
	Guard fencing.Tracker

	// Scope is the only scope whose tokens the Server accepts: [fencing.Scope] of the Lease. Required.
	// For several scopes, make one Server for each.
	Scope string

	// Fenced reports whether a request needs a token. Default: all requests do, except GET, HEAD and
	// OPTIONS that do not ask for another protocol (Upgrade). If a token is sent, it is always judged.
	Fenced func(*http.Request) bool
}

// Server stands before the handlers of a resource. Make one with [NewServer]. All methods are safe
// for concurrent use.
type Server struct{ config ServerConfig }

// NewServer returns a server. It fails if cfg has no Guard, or if cfg.Scope is no valid scope.
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

// token returns the token of a request. Its scope is the Server's.
func (s *Server) token(r *http.Request) (fencing.Token, error) {
	t, err := FromHeader(r.Header)
	if err == nil {
		err = fencing.OwnToken(t, s.config.Scope)
	}
	return t, err
}

// Middleware passes a request to next if the guard admits its token. It answers other requests with
// [Refuse].
//
// The request is in flight at the guard until next returns or panics. So no effect of the request
// can land after a newer term was admitted. The request's context carries the token. When a newer
// term arrives, the context ends with a [*fencing.StaleError] as its cause. From then on
//   - reads of the body fail with that error;
//   - reads and writes of the connection fail at once, so that next stops blocking there (if w
//     supports deadlines, as those of net/http do; next must not extend them then);
//   - if next still gives an answer, it is sent; over HTTP/2, only if it is short.
//
// If next returns without an answer, and could see that its context had ended, the answer is 412
// with the mark. If next had begun a body by then and does not go on with it, the connection is
// broken off, so that the body does not look complete.
//
// The ResponseWriter of next can flush, hijack and push if w can, also through
// [http.ResponseController].
//
// A request that needs no token and has none is passed on unchanged. A request that needs a token
// and has none is refused, unless code around the middleware put [fencing.AllowUnfenced] into the
// context.
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
		ctx, leave, err := s.config.Guard.Enter(r.Context(), token) // Enter judges a missing token too
		if err != nil {
			Refuse(w, err)
			return
		}
		defer leave()
		s.serve(ctx, token, next, w, r)
	})
}
