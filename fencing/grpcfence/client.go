package grpcfence

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/hotseat-go/hotseat/fencing"
)

// DialOptions are [UnaryClient] and [StreamClient], chained after other interceptors.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(UnaryClient),
		grpc.WithChainStreamInterceptor(StreamClient),
	}
}

// UnaryClient is a [grpc.UnaryClientInterceptor] that makes each call with the token in the call's
// context ([fencing.FromContext]). It turns a refusal back into an error of package fencing, and
// passes it on to the term ([fencing.Report]). UnaryClient sends nothing and fails in two cases:
//   - There is no token, and [fencing.AllowUnfenced] does not allow that: [fencing.ErrMissing].
//   - The metadata already has a token: [fencing.ErrMalformed].
func UnaryClient(
	ctx context.Context, method string, request, reply any, conn *grpc.ClientConn,
	invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	out, token, err := outgoing(ctx, method)
	if err != nil {
		return Refuse(err)
	}
	return told(ctx, invoke(out, method, request, reply, conn, opts...), token)
}

// StreamClient is [UnaryClient] for streams. RecvMsg returns the refusal; SendMsg then returns
// io.EOF. A stream keeps the token that it was opened with.
func StreamClient(
	ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string,
	open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	out, token, err := outgoing(ctx, method)
	if err != nil {
		return nil, Refuse(err)
	}
	stream, err := open(out, desc, conn, method, opts...)
	if err != nil {
		return nil, told(ctx, err, token)
	}
	return &clientStream{stream, token}, nil
}

// outgoing returns the context of a call, and its token. The token is zero if there is none.
func outgoing(ctx context.Context, method string) (context.Context, fencing.Token, error) {
	if strings.HasPrefix(method, servicePath) {
		return ctx, fencing.Token{}, nil // a call of Remote
	}
	token, _ := fencing.FromContext(ctx)
	if fencing.Unfenced(ctx, token) {
		return ctx, token, nil
	}
	ctx, err := stamp(ctx, token)
	return ctx, token, err
}

// told returns the error that err means, and passes a refusal on to the term.
func told(ctx context.Context, err error, presented fencing.Token) error {
	return fencing.Report(ctx, refusal(err, presented))
}

type clientStream struct {
	grpc.ClientStream
	token fencing.Token
}

func (s *clientStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if status.Code(err) == codes.Canceled {
		if marks := s.Trailer().Get(trailerMark); len(marks) == 1 {
			return fencing.Report(s.Context(), Refuse(lost(codes.FailedPrecondition, s.token, marks[0])))
		}
	}
	return told(s.Context(), err, s.token)
}
