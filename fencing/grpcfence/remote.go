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
//	  // announces the fencing-token of the call, and returns it
//	  rpc Announce(google.protobuf.Empty) returns (google.protobuf.StringValue);
//	  // returns the mark of a scope, or "none"
//	  rpc HighWater(google.protobuf.StringValue) returns (google.protobuf.StringValue);
//	}
const (
	service     = "hotseat.fencing.v1.Fence"
	servicePath = "/" + service + "/"
	announce    = "Announce"
	markMethod  = "HighWater"
)

// announcer has what the service's handlers call.
type announcer interface {
	announce(ctx context.Context) (fencing.Token, error)
	mark(ctx context.Context, scope string) (fencing.Token, error)
}

// Register adds the service to which [Remote] announces. It answers as in the package comment. It
// works behind the interceptors too: they pass its calls on.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	r.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		HandlerType: (*announcer)(nil),
		Methods: []grpc.MethodDesc{
			method(announce,
				func(a announcer, ctx context.Context, _ *emptypb.Empty) (fencing.Token, error) {
					return a.announce(ctx)
				}),
			method(markMethod,
				func(a announcer, ctx context.Context, s *wrapperspb.StringValue) (fencing.Token, error) {
					return a.mark(ctx, s.GetValue())
				}),
		},
	}, s)
}

// method is what protoc would generate for a method that returns a token.
func method[M any](
	name string, serve func(announcer, context.Context, *M) (fencing.Token, error),
) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(
		srv any, ctx context.Context, decode func(any) error, around grpc.UnaryServerInterceptor,
	) (any, error) {
		request := new(M)
		if err := decode(request); err != nil {
			return nil, err
		}
		handle := func(ctx context.Context, request any) (any, error) {
			//nolint:forcetypeassert // by registration and by decode
			t, err := serve(srv.(announcer), ctx, request.(*M))
			return wrapperspb.String(t.String()), Refuse(err)
		}
		if around == nil {
			return handle(ctx, request)
		}
		info := &grpc.UnaryServerInfo{Server: srv, FullMethod: servicePath + name}
		return around(ctx, request, info, handle)
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

// Remote is the guard of another process, reached through the service of [Server.Register] there.
// List it in singleton.Config.Guards. Make one with [NewRemote]. It is safe for concurrent use.
//
// Errors are
//   - those of the guard;
//   - [fencing.ErrWiring], if no Server is registered (UNIMPLEMENTED, which a 404 is too), or if
//     access is refused (UNAUTHENTICATED, PERMISSION_DENIED);
//   - [fencing.ErrUnavailable], for every other outcome of a call. The announcement may then have
//     arrived, and can be repeated.
//
// To help find a wrong address, the text says what was called, where, and with which status. The
// only time limit is the context's.
type Remote struct{ conn grpc.ClientConnInterface }

var _ fencing.Checker = (*Remote)(nil)

// NewRemote returns the guard at the other end of conn. conn may have the client interceptors, but
// need not.
func NewRemote(conn grpc.ClientConnInterface) *Remote { return &Remote{conn} }

// Announce announces t to the other process's guard, and returns nil once that guard has admitted
// t. See [fencing.Guard].
func (r *Remote) Announce(ctx context.Context, t fencing.Token) error {
	out, err := stamp(ctx, t)
	if err != nil {
		return err
	}
	mark, err := r.call(out, announce, &emptypb.Empty{}, t)
	if err == nil && mark != t.String() {
		err = fmt.Errorf("%w: %s confirmed %.400q when %v was announced",
			fencing.ErrUnavailable, r.place(announce), mark, t)
	}
	return fencing.Report(ctx, err)
}

// Check does what [Remote.Announce] does: it admits the current token, and raises the mark for a
// newer one. No later effect is bound to Check. Make the effect a call with the token.
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
		return fencing.Token{}, fmt.Errorf("%w: %s answered %.400q for the mark of %q",
			fencing.ErrUnavailable, r.place(markMethod), text, scope)
	}
	return mark, nil
}

func (r *Remote) call(
	ctx context.Context, name string, request any, presented fencing.Token,
) (string, error) {
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

// place is what was called and, if the connection has a target, where.
func (r *Remote) place(name string) string {
	if conn, ok := r.conn.(interface{ Target() string }); ok {
		return servicePath + name + " at " + conn.Target()
	}
	return servicePath + name
}
