package grpcfence

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hotseat-go/hotseat/fencing"
)

// The service of Register, which Remote calls:
//
//	service Fence {
//	  rpc Announce(google.protobuf.Empty) returns (google.protobuf.StringValue);         // the fencing-token; returns it
//	  rpc HighWater(google.protobuf.StringValue) returns (google.protobuf.StringValue);  // of a scope; or "none"
//	}
const (
	service     = "hotseat.fencing.v1.Fence"
	servicePath = "/" + service + "/"
	announce    = "Announce"
	markMethod  = "HighWater"
)

// announcer is what the service's handlers are called on.
type announcer interface {
	announce(ctx context.Context) (fencing.Token, error)
	mark(ctx context.Context, scope string) (fencing.Token, error)
}

// Register adds the service to which [Remote] announces. It answers as in the package comment, also behind the
// interceptors, which leave it alone.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	r.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		HandlerType: (*announcer)(nil),
		Methods: []grpc.MethodDesc{
			method(announce, func(a announcer, ctx context.Context, _ *emptypb.Empty) (fencing.Token, error) {
				return a.announce(ctx)
			}),
			method(markMethod, func(a announcer, ctx context.Context, scope *wrapperspb.StringValue) (fencing.Token, error) {
				return a.mark(ctx, scope.GetValue())
			}),
		},
	}, s)
}

// method is what protoc would generate for one that returns a token.
func method[M any](name string, serve func(announcer, context.Context, *M) (fencing.Token, error)) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(srv any, ctx context.Context, decode func(any) error, around grpc.UnaryServerInterceptor) (any, error) {
		request := new(M)
		if err := decode(request); err != nil {
			return nil, err
		}
		handle := func(ctx context.Context, request any) (any, error) {
			t, err := serve(srv.(announcer), ctx, request.(*M)) //nolint:forcetypeassert // by registration and by decode
			return wrapperspb.String(t.String()), Refuse(err)
		}
		if around == nil {
			return handle(ctx, request)
		}
		return around(ctx, request, &grpc.UnaryServerInfo{Server: srv, FullMethod: servicePath + name}, handle)
	}}
}

func (s *Server) announce(ctx context.Context) (fencing.Token, error) {
	t, err := s.token(ctx)
	if err != nil {
		return fencing.Token{}, err
	}
	return t, s.config.Guard.Announce(ctx, t)
}

func (s *Server) mark(ctx context.Context, scope string) (fencing.Token, error) {
	if err := fencing.OwnScope(scope, s.config.Scope); err != nil {
		return fencing.Token{}, err
	}
	return s.config.Guard.Mark(ctx, scope)
}

// Remote is the guard of another process, reached through what [Server.Register] serves there: list it in
// singleton.Config.Guards. Make one with [NewRemote]; it is safe for concurrent use.
//
// Errors are the guard's, [fencing.ErrWiring] where no Server is registered (UNIMPLEMENTED, which a 404 is too) or the caller is not
// let in (UNAUTHENTICATED, PERMISSION_DENIED), and [fencing.ErrUnavailable] for every other outcome of a call: the announcement may
// then have arrived, and can be repeated. The text says what was called, where and with which status, to
// find a wrong address by. No time limit but the context's.
type Remote struct{ conn grpc.ClientConnInterface }

var _ fencing.Checker = (*Remote)(nil)

// NewRemote returns the guard at the other end of conn, which may have the client interceptors, or not.
func NewRemote(conn grpc.ClientConnInterface) *Remote { return &Remote{conn} }

// Announce tells the far guard of t and returns nil once it has admitted it. See [fencing.Guard].
func (r *Remote) Announce(ctx context.Context, t fencing.Token) error {
	out, err := stamp(ctx, t)
	if err != nil {
		return err
	}
	mark, err := r.call(out, announce, &emptypb.Empty{}, t)
	if err == nil && mark != t.String() {
		err = fmt.Errorf("%w: %s confirmed %.400q when it was told of %v", fencing.ErrUnavailable, r.place(announce), mark, t)
	}
	return fencing.Report(ctx, err)
}

// Check is [Remote.Announce]: both admit exactly the mark and what is newer. An effect that follows is not bound to it;
// make that a call under the token.
func (r *Remote) Check(ctx context.Context, t fencing.Token) error {
	if fencing.Unfenced(ctx, t) {
		return nil
	}
	return r.Announce(ctx, t)
}

// Mark asks for the mark of a scope. See [fencing.Guard].
func (r *Remote) Mark(ctx context.Context, scope string) (fencing.Token, error) {
	if err := fencing.ValidateScope(scope); err != nil {
		return fencing.Token{}, err
	}
	text, err := r.call(ctx, markMethod, wrapperspb.String(scope), fencing.Token{})
	if err != nil || text == (fencing.Token{}).String() {
		return fencing.Token{}, err
	}
	mark, err := fencing.ParseToken(text)
	if err != nil || mark.Scope != scope {
		return fencing.Token{}, fmt.Errorf("%w: %s has %.400q for the mark of %q", fencing.ErrUnavailable, r.place(markMethod), text, scope)
	}
	return mark, nil
}

func (r *Remote) call(ctx context.Context, name string, request any, presented fencing.Token) (string, error) {
	reply := &wrapperspb.StringValue{}
	err := r.conn.Invoke(ctx, servicePath+name, request, reply)
	if err == nil {
		return reply.GetValue(), nil
	}
	why := fencing.ErrUnavailable
	switch refused := refusal(err, presented); {
	case errors.Is(refused, fencing.ErrWiring):
		why = fencing.ErrWiring
	case refused != err: //nolint:errorlint // refusal returns the same when it is none
		return "", refused
	}
	switch status.Code(err) {
	case codes.Unimplemented:
		why, err = fencing.ErrWiring, fmt.Errorf("no Server is registered there: %w", err)
	case codes.Unauthenticated, codes.PermissionDenied:
		why = fencing.ErrWiring
	}
	return "", fmt.Errorf("%w: %s: %w", why, r.place(name), err)
}

// place is what was called, and where, if the connection tells.
func (r *Remote) place(name string) string {
	if conn, ok := r.conn.(interface{ Target() string }); ok {
		return servicePath + name + " at " + conn.Target()
	}
	return servicePath + name
}
