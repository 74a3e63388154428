package grpcfence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/hotseat-go/hotseat/fencing"
)

// ServerConfig configures a [Server].
type ServerConfig struct {
	// Guard judges the tokens and tracks the calls in flight. Required.
	Guard fencing.Tracker

	// Scope is the only scope whose tokens the Server accepts: [fencing.Scope] of the Lease. Required.
	Scope string

	// Fenced reports whether a method, such as /package.Service/Method, needs a token. Default: all
	// methods do, except those of gRPC's health and reflection services, because probes and tools have
	// no token. If a token is sent, it is always judged.
	Fenced func(fullMethod string) bool
}

// Server stands before the handlers of a resource. Make one with [NewServer]. All methods are safe
// for concurrent use.
type Server struct{ config ServerConfig }

// NewServer returns a server. It fails if cfg has no Guard, or if cfg.Scope is no valid scope.
func NewServer(cfg ServerConfig) (*Server, error) {
	if g := reflect.ValueOf(cfg.Guard); !g.IsValid() || g.Kind() == reflect.Pointer && g.IsNil() {
		return nil, fmt.Errorf("grpcfence: ServerConfig.Guard is nil (%T), must be set", cfg.Guard)
	}
	if err := fencing.ValidateScope(cfg.Scope); err != nil {
		return nil, fmt.Errorf("grpcfence: ServerConfig.Scope: %w", err)
	}
	if cfg.Fenced == nil {
		cfg.Fenced = effective
	}
	return &Server{cfg}, nil
}

// effective reports whether a method may have an effect. Methods of gRPC's own services have none.
func effective(method string) bool {
	return !strings.HasPrefix(method, "/grpc.health.") &&
		!strings.HasPrefix(method, "/grpc.reflection.")
}

// ServerOptions are [Tap], [Server.UnaryServer] and [Server.StreamServer], chained after other
// interceptors. A server can have only one tap. If yours has one, install the interceptors
// yourself, and call Tap from your tap.
func (s *Server) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.InTapHandle(Tap),
		grpc.ChainUnaryInterceptor(s.UnaryServer),
		grpc.ChainStreamInterceptor(s.StreamServer),
	}
}

type cutKey struct{}

// Tap is a [tap.ServerInHandle] that enables [Server.StreamServer] to end a stream whose handler
// waits for the client. There is no other way to do that. Without Tap, such a handler ends only
// with the client's next message, and a newer term waits.
func Tap(ctx context.Context, _ *tap.Info) (context.Context, error) {
	ctx, cut := context.WithCancel(ctx) // ends with ctx at the latest, and so with the call
	return context.WithValue(ctx, cutKey{}, cut), nil
}

// UnaryServer is a [grpc.UnaryServerInterceptor] that admits a call if the guard admits its token.
// The call is in flight at the guard until the handler returns or panics. So no effect of the call
// can land after a newer term was admitted. The call's context carries the token. When a newer term
// arrives, the context ends with a [*fencing.StaleError] as its cause.
//
// If the handler returns an error of package fencing, the error becomes the call's status. If a
// newer term ended the context, that refusal becomes the status.
func (s *Server) UnaryServer(
	ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (any, error) {
	entry, err := s.enter(ctx, info.FullMethod)
	if err != nil {
		return nil, Refuse(err)
	}
	defer entry.leave()
	reply, err := handler(entry.ctx, request)
	return reply, entry.outcome(err)
}

// StreamServer is [Server.UnaryServer] for streams. It asks the guard again for each message that
// the client sends. When a newer term arrives, RecvMsg and SendMsg fail, even if they block already
// (see [Tap]). If a handler returns nil although its term has ended or a message was refused, the
// status is still the refusal. Such a handler has not done all that was asked, whether it noticed
// or not.
func (s *Server) StreamServer(
	srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler,
) error {
	entry, err := s.enter(ss.Context(), info.FullMethod)
	if err != nil {
		return Refuse(err)
	}
	defer entry.leave()
	if entry.token.IsZero() {
		return entry.outcome(handler(srv, ss))
	}
	defer cutOff(ss, &entry)()
	stream := &serverStream{ServerStream: ss, guard: s.config.Guard, entry: entry}
	return cmp.Or(entry.outcome(handler(srv, stream)), stream.cut())
}

// cutOff ends blocked calls of the stream s when the call in flight ends. gRPC then sends its own
// status before the handler can. So a trailer tells the client the reason.
func cutOff(s grpc.ServerStream, e *entry) (stop func() bool) {
	cut, ok := s.Context().Value(cutKey{}).(context.CancelFunc)
	if !ok {
		return func() bool { return true }
	}
	return context.AfterFunc(e.ctx, func() {
		if ended := e.superseded(); ended != nil {
			_, mark := fencing.Refusal(ended)
			s.SetTrailer(metadata.Pairs(trailerMark, mark.String()))
		}
		cut()
	})
}

// entry is a call in flight.
type entry struct {
	ctx   context.Context //nolint:containedctx // of the call, as in grpc.ServerStream
	token fencing.Token   // zero: not fenced
	leave func()
}

func (s *Server) enter(ctx context.Context, method string) (entry, error) {
	if strings.HasPrefix(method, servicePath) {
		return entry{ctx: ctx, leave: func() {}}, nil // a call of Register's service
	}
	token, err := s.token(ctx)
	missing := errors.Is(err, fencing.ErrMissing)
	switch {
	case missing && !s.config.Fenced(method):
		return entry{ctx: ctx, leave: func() {}}, nil
	case err != nil && !missing:
		return entry{}, err
	}
	work, leave, err := s.config.Guard.Enter(ctx, token) // Enter judges a missing token too
	return entry{work, token, leave}, err
}

// token returns the token of a call. Its scope is the Server's.
func (s *Server) token(ctx context.Context) (fencing.Token, error) {
	t, err := FromIncoming(ctx)
	if err == nil {
		err = fencing.OwnToken(t, s.config.Scope)
	}
	return t, err
}

// superseded returns the refusal if a newer term ended the call, else nil.
func (e *entry) superseded() error {
	if e.ctx.Err() != nil {
		if cause := context.Cause(e.ctx); errors.Is(cause, fencing.ErrStale) {
			return Refuse(cause)
		}
	}
	return nil
}

// outcome is the error that the client gets if the handler returned err.
func (e *entry) outcome(err error) error {
	if err == nil || errors.As(err, new(*fenced)) {
		return err
	}
	if fencing.KindOf(err) != fencing.KindOther {
		return Refuse(err)
	}
	canceled := errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled
	if ended := e.superseded(); ended != nil && canceled {
		return ended
	}
	return err
}

// serverStream is a stream that ends with its term.
type serverStream struct {
	grpc.ServerStream
	guard fencing.Checker
	entry entry

	mu      sync.Mutex
	refused error // the refusal of the first refused message
}

func (s *serverStream) Context() context.Context { return s.entry.ctx }

func (s *serverStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if ended := s.entry.superseded(); ended != nil {
		return ended
	}
	if err != nil {
		return err
	}
	if err := s.guard.Check(s.entry.ctx, s.entry.token); err != nil {
		return s.refuse(err)
	}
	return nil
}

func (s *serverStream) SendMsg(m any) error {
	if ended := s.entry.superseded(); ended != nil {
		return ended
	}
	err := s.ServerStream.SendMsg(m)
	if ended := s.entry.superseded(); err != nil && ended != nil {
		return ended
	}
	return err
}

func (s *serverStream) refuse(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = cmp.Or(s.refused, Refuse(err))
	return Refuse(err)
}

// cut returns why the stream is incomplete, or nil if it is complete.
func (s *serverStream) cut() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.entry.superseded(), s.refused)
}
