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
	// Guard judges the tokens and follows the calls in flight. Required.
	Guard fencing.Tracker

	// Scope is the only one whose tokens are taken: [fencing.Scope] of the Lease. Required.
	Scope string

	// Fenced reports whether a method, as /package.Service/Method, needs a token. Default: all do but gRPC's own health
	// and reflection services, since probes and tools have none. A token is judged wherever one is sent.
	Fenced func(fullMethod string) bool
}

// Server stands before the handlers of a resource. Make one with [NewServer]; all methods are safe for concurrent use.
type Server struct{ config ServerConfig }

// NewServer fails when cfg lacks Guard, or Scope cannot be that of a token.
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

// effective reports whether a method may have an effect: those of gRPC's own services have none.
func effective(method string) bool {
	return !strings.HasPrefix(method, "/grpc.health.") && !strings.HasPrefix(method, "/grpc.reflection.")
}

// ServerOptions are [Tap], [Server.UnaryServer] and [Server.StreamServer], chained behind what is there already. A server
// has one tap: if yours has its own, install the interceptors yourself and call Tap from it.
func (s *Server) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.InTapHandle(Tap),
		grpc.ChainUnaryInterceptor(s.UnaryServer),
		grpc.ChainStreamInterceptor(s.StreamServer),
	}
}

type cutKey struct{}

// Tap is a [tap.ServerInHandle] that lets [Server.StreamServer] end a stream whose handler waits for the client: that can
// be done from nowhere else. Without it such a handler ends with the client's next message, and a newer term waits.
func Tap(ctx context.Context, _ *tap.Info) (context.Context, error) {
	ctx, cut := context.WithCancel(ctx) // ends with ctx at the latest, which is with the call
	return context.WithValue(ctx, cutKey{}, cut), nil
}

// UnaryServer is a [grpc.UnaryServerInterceptor] that lets calls through whose token the guard admits. The call is in
// flight at the guard until the handler returns or panics, so no effect of it can land after a newer term was admitted. Its
// context carries the token, and ends when a newer term arrives, with a [*fencing.StaleError] as its cause.
//
// Errors of package fencing that the handler returns become their status, and so does the end of its context by a
// newer term.
func (s *Server) UnaryServer(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	entry, err := s.enter(ctx, info.FullMethod)
	if err != nil {
		return nil, Refuse(err)
	}
	defer entry.leave()
	reply, err := handler(entry.ctx, request)
	return reply, entry.outcome(err)
}

// StreamServer is [Server.UnaryServer] for streams. The guard is asked again for each message that the client sends. When a
// newer term arrives, RecvMsg and SendMsg fail, also where they block already (see [Tap]). A handler that returns nil after its
// term ended, or after a message was refused, whether it noticed or not, has not done all that was asked: the refusal is the status.
func (s *Server) StreamServer(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
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

// cutOff ends what blocks in the stream s when the call in flight ends. gRPC then sends a status of its own, before the
// handler could: so a trailer tells the client why.
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
	ctx   context.Context //nolint:containedctx // of the call, like the one in grpc.ServerStream
	token fencing.Token   // zero: not fenced
	leave func()
}

func (s *Server) enter(ctx context.Context, method string) (entry, error) {
	if strings.HasPrefix(method, servicePath) {
		return entry{ctx: ctx, leave: func() {}}, nil // Register's own
	}
	token, err := s.token(ctx)
	missing := errors.Is(err, fencing.ErrMissing)
	switch {
	case missing && !s.config.Fenced(method):
		return entry{ctx: ctx, leave: func() {}}, nil
	case err != nil && !missing:
		return entry{}, err
	}
	work, leave, err := s.config.Guard.Enter(ctx, token) // it knows what to do about a missing one
	return entry{work, token, leave}, err
}

// token of a call; its scope is the Server's.
func (s *Server) token(ctx context.Context) (fencing.Token, error) {
	t, err := FromIncoming(ctx)
	if err == nil {
		err = fencing.OwnToken(t, s.config.Scope)
	}
	return t, err
}

// superseded returns the refusal of a call that a newer term ended, else nil.
func (e *entry) superseded() error {
	if e.ctx.Err() != nil {
		if cause := context.Cause(e.ctx); errors.Is(cause, fencing.ErrStale) {
			return Refuse(cause)
		}
	}
	return nil
}

// outcome is what the client is told of what the handler returned.
func (e *entry) outcome(err error) error {
	if err == nil || errors.As(err, new(*fenced)) {
		return err
	}
	if fencing.KindOf(err) != fencing.KindOther {
		return Refuse(err)
	}
	if ended := e.superseded(); ended != nil && (errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled) {
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
	refused error // the first message that was, and why
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

// cut returns why the stream is not all of what it should be; nil if it is.
func (s *serverStream) cut() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.entry.superseded(), s.refused)
}
