package grpcserving

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/hotseat-go/hotseat/singleton/serving"
)

const (
	// Domain and Reason are those of the ErrorInfo of a refused call.
	Domain = "hotseat-go.github.io"
	Reason = "NOT_ACTIVE"

	// TrailerNotActive is the trailer of a stream that the end of the term has cut. Its value is the
	// holder, which may be empty.
	TrailerNotActive = "hotseat-not-active"

	retryDelay = time.Second // a handover takes less, a failover more
)

// Config configures a [Server]. The zero value is ready to use.
type Config struct {
	// Active reports whether a method, such as /package.Service/Method, is for the active only.
	// Default: all methods are, except those of gRPC's health and reflection services. It must be safe
	// for concurrent use.
	Active func(fullMethod string) bool
}

// Server lets calls in through a gate. Make one with [New]. Its methods are safe for concurrent
// use.
type Server struct {
	gate   *serving.Gate
	active func(fullMethod string) bool
}

// New returns a server of the gate, which must not be nil.
func New(gate *serving.Gate, config Config) *Server {
	if config.Active == nil {
		config.Active = own
	}
	return &Server{gate: gate, active: config.Active}
}

// own reports whether a method is of a service that is not gRPC's.
func own(method string) bool {
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

// Tap is a [tap.ServerInHandle] that lets [Server.StreamServer] end a stream whose handler waits
// for the client. There is no other way to do that. Without Tap, a client that says nothing holds
// up the end of the term.
func Tap(ctx context.Context, _ *tap.Info) (context.Context, error) {
	ctx, cut := context.WithCancel(ctx) // ends with ctx at the latest, and so with the call
	return context.WithValue(ctx, cutKey{}, cut), nil
}

// UnaryServer is a [grpc.UnaryServerInterceptor] that lets calls in on the active only.
func (s *Server) UnaryServer(
	ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (any, error) {
	if !s.active(info.FullMethod) {
		return handler(ctx, request)
	}
	entry, err := s.gate.Enter(ctx)
	if err != nil {
		return nil, Refuse(err)
	}
	defer entry.Leave()
	answer, err := handler(entry.Context(), request)
	if over := entry.Err(); over != nil {
		return nil, Refuse(over)
	}
	return answer, err
}

// StreamServer is a [grpc.StreamServerInterceptor] that lets streams in on the active only.
func (s *Server) StreamServer(
	srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler,
) error {
	if !s.active(info.FullMethod) {
		return handler(srv, ss)
	}
	entry, err := s.gate.Enter(ss.Context())
	if err != nil {
		return Refuse(err)
	}
	defer entry.Leave()
	defer cutOff(ss, entry)()
	err = handler(srv, &stream{ss, entry})
	return cmp.Or(Refuse(entry.Err()), err)
}

// cutOff ends blocked calls of the stream when the term ends. gRPC then sends its own status before
// the handler can, so a trailer tells the client the reason.
func cutOff(ss grpc.ServerStream, entry *serving.Entry) (stop func() bool) {
	cut, ok := ss.Context().Value(cutKey{}).(context.CancelFunc)
	if !ok {
		return func() bool { return true }
	}
	return context.AfterFunc(entry.Context(), func() {
		refused, ok := errors.AsType[*serving.NotActiveError](entry.Err())
		if !ok { // the client has gone
			return
		}
		ss.SetTrailer(metadata.Pairs(TrailerNotActive, refused.Holder))
		cut()
	})
}

// stream is one that lasts as long as the term.
type stream struct {
	grpc.ServerStream
	entry *serving.Entry
}

func (s *stream) Context() context.Context { return s.entry.Context() }

func (s *stream) SendHeader(md metadata.MD) error {
	return s.during(func() error { return s.ServerStream.SendHeader(md) })
}

func (s *stream) SendMsg(m any) error {
	return s.during(func() error { return s.ServerStream.SendMsg(m) })
}

func (s *stream) RecvMsg(m any) error {
	return s.during(func() error { return s.ServerStream.RecvMsg(m) })
}

// during calls f if the term lasts. If f fails after its end, that is why.
func (s *stream) during(f func() error) error {
	if over := s.entry.Err(); over != nil {
		return Refuse(over)
	}
	err := f()
	if over := s.entry.Err(); err != nil && over != nil {
		return Refuse(over)
	}
	return err
}

// Refuse returns the status of a [*serving.NotActiveError], as the package's documentation has it.
// It is for handlers that use [serving.Gate.Enter] themselves. Other errors, and nil, are returned
// unchanged.
func Refuse(err error) error {
	refused, ok := errors.AsType[*serving.NotActiveError](err)
	if !ok {
		return err
	}
	info := &errdetails.ErrorInfo{Reason: Reason, Domain: Domain, Metadata: map[string]string{
		"state": refused.State.String(), "handled": strconv.FormatBool(refused.Handled),
	}}
	if refused.Holder != "" {
		info.Metadata["holder"] = refused.Holder
	}
	st, invalid := status.New(codes.Unavailable, refused.Error()).
		WithDetails(info, &errdetails.RetryInfo{RetryDelay: durationpb.New(retryDelay)})
	if invalid != nil {
		st = status.New(codes.Unavailable, refused.Error())
	}
	return st.Err()
}
