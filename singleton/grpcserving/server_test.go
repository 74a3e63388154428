package grpcserving_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/grpcserving"
	"github.com/hotseat-go/hotseat/singleton/serving"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// soon is far above what anything here takes, also on a machine that does much else.
const soon = time.Minute

// lab is one replica with a gRPC server.
type lab struct {
	*testing.T
	*singleton.Elector
	gate *serving.Gate
	conn *grpc.ClientConn

	get  func(ctx context.Context) (string, error) // the unary method
	pour func(grpc.ServerStream) error             // the stream
}

func newLab(t *testing.T, options ...grpc.ServerOption) *lab {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	t.Cleanup(cluster.Close)
	elector, err := singleton.New(cluster.Client("a"), singleton.Config{
		Name: "invoicer", Namespace: "shop", Replica: singleton.ReplicaConfig{Identity: "a"},
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	l := &lab{T: t, Elector: elector, gate: serving.NewGate(elector)}
	if options == nil {
		options = grpcserving.New(l.gate, grpcserving.Config{}).ServerOptions()
	}
	server := grpc.NewServer(options...)
	l.register(server)
	healthpb.RegisterHealthServer(server, health.NewServer())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Stop(); <-served })
	l.conn, err = grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.conn.Close() })
	return l
}

func (l *lab) register(server *grpc.Server) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "shop.Invoices", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Get", Handler: func(
			_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor,
		) (any, error) {
			request := &wrapperspb.StringValue{}
			if err := decode(request); err != nil {
				return nil, err
			}
			return intercept(ctx, request, &grpc.UnaryServerInfo{FullMethod: "/shop.Invoices/Get"},
				func(ctx context.Context, _ any) (any, error) {
					text, err := l.get(ctx)
					return wrapperspb.String(text), err
				})
		}}},
		Streams: []grpc.StreamDesc{{
			StreamName: "Pour", ClientStreams: true, ServerStreams: true,
			Handler: func(_ any, s grpc.ServerStream) error { return l.pour(s) },
		}},
	}, nil)
}

func (l *lab) run() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- l.Elector.Run(ctx, l.gate.Work(func(ctx context.Context, _ *singleton.Term) error { <-ctx.Done(); return nil }))
	}()
	l.Cleanup(func() { stop(); require.NoError(l, <-done) })
	l.await(func() bool {
		entry, err := l.gate.Enter(l.Context())
		if err == nil {
			entry.Leave()
		}
		return err == nil
	})
}

func (l *lab) await(done func() bool) {
	l.Helper()
	for began := time.Now(); !done(); time.Sleep(time.Millisecond) {
		require.Less(l, time.Since(began), soon)
	}
}

// ends ends the term, and demands that the replica can stand by.
func (l *lab) ends() {
	l.Helper()
	l.SetEligible(false)
	l.Resign()
	l.await(func() bool { return l.Status().State == singleton.StateStandby })
}

func (l *lab) call() (string, error) {
	answer := &wrapperspb.StringValue{}
	err := l.conn.Invoke(l.Context(), "/shop.Invoices/Get", wrapperspb.String(""), answer)
	return answer.GetValue(), err
}

func (l *lab) open() grpc.ClientStream {
	s, err := l.conn.NewStream(l.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/shop.Invoices/Pour")
	require.NoError(l, err)
	return s
}

// refused checks the status of a refused call.
func refused(t *testing.T, err error, metadata map[string]string) {
	t.Helper()
	st := status.Convert(err)
	require.Equal(t, codes.Unavailable, st.Code(), err)
	require.Len(t, st.Details(), 2)
	info, ok := st.Details()[0].(*errdetails.ErrorInfo)
	require.True(t, ok)
	require.Equal(t, "NOT_ACTIVE", info.GetReason())
	require.Equal(t, "hotseat-go.github.io", info.GetDomain())
	require.Equal(t, metadata, info.GetMetadata())
	retry, ok := st.Details()[1].(*errdetails.RetryInfo)
	require.True(t, ok)
	require.Equal(t, time.Second, retry.GetRetryDelay().AsDuration())
}

func TestOnlyTheActiveServes(t *testing.T) {
	l := newLab(t)
	l.get = func(ctx context.Context) (string, error) {
		token, _ := fencing.FromContext(ctx)
		return token.String(), nil
	}
	l.pour = func(s grpc.ServerStream) error {
		token, _ := fencing.FromContext(s.Context())
		if err := s.SendHeader(metadata.Pairs("x", "y")); err != nil {
			return err
		}
		return s.SendMsg(wrapperspb.String(token.String()))
	}
	_, err := l.call()
	refused(t, err, map[string]string{"state": "stopped", "handled": "false"})
	s := l.open()
	refused(t, s.RecvMsg(&wrapperspb.StringValue{}), map[string]string{"state": "stopped", "handled": "false"})
	_, err = healthpb.NewHealthClient(l.conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
	require.NoError(t, err, "anywhere")
	watch, err := healthpb.NewHealthClient(l.conn).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	require.NoError(t, err)
	_, err = watch.Recv()
	require.NoError(t, err, "anywhere")

	l.run()
	text, err := l.call()
	require.NoError(t, err)
	require.Equal(t, l.Status().Token.String(), text)
	s, got := l.open(), &wrapperspb.StringValue{}
	require.NoError(t, s.RecvMsg(got))
	require.Equal(t, text, got.GetValue())
	require.ErrorIs(t, s.RecvMsg(got), io.EOF)
	l.ends()
	_, err = l.call()
	require.Equal(t, codes.Unavailable, status.Code(err))
}

// The term ends while a handler runs: what it returns does not leave.
func TestNoAnswerLeavesAfterTheTerm(t *testing.T) {
	for name, own := range map[string]error{"an answer": nil, "an error": status.Error(codes.NotFound, "none")} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.get = func(ctx context.Context) (string, error) {
				l.SetEligible(false)
				l.Resign()
				<-ctx.Done()
				return "late", own
			}
			l.run()
			_, err := l.call()
			refused(t, err, map[string]string{"state": "draining", "handled": "true", "holder": l.Identity()})
		})
	}
}

// A stream ends with the term, whether its handler sends, returns, or waits for the client.
func TestStreamsEndWithTheTerm(t *testing.T) {
	for name, c := range map[string]struct {
		pour func(grpc.ServerStream) error
		code codes.Code
	}{
		"sends": {func(s grpc.ServerStream) error { // it does not look at its context
			for {
				if err := s.SendMsg(wrapperspb.String("x")); err != nil {
					return fmt.Errorf("of its own: %w", err)
				}
				time.Sleep(time.Millisecond)
			}
		}, codes.Unavailable},
		"returns nil": {func(s grpc.ServerStream) error {
			_ = s.SendMsg(wrapperspb.String("x"))
			<-s.Context().Done()
			return nil
		}, codes.Unavailable},
		"waits for the client": {func(s grpc.ServerStream) error {
			_ = s.SendMsg(wrapperspb.String("x"))
			return s.RecvMsg(&wrapperspb.StringValue{})
		}, codes.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.pour = c.pour
			l.run()
			s := l.open()
			require.NoError(t, s.RecvMsg(&wrapperspb.StringValue{}))
			l.ends()
			var err error
			l.await(func() bool { err = s.RecvMsg(&wrapperspb.StringValue{}); return err != nil })
			require.NotErrorIs(t, err, io.EOF, "it looks complete")
			if status.Code(err) == codes.Canceled { // the cut was faster than the handler
				require.Len(t, s.Trailer().Get(grpcserving.TrailerNotActive), 1)
			} else {
				require.Equal(t, c.code, status.Code(err), err)
			}
		})
	}
}

// A method can be for every replica.
func TestMethodsOfEveryReplica(t *testing.T) {
	l := newLab(t)
	l = newLab(t, grpc.ChainUnaryInterceptor(
		grpcserving.New(l.gate, grpcserving.Config{Active: func(method string) bool { return method != "/shop.Invoices/Get" }}).UnaryServer))
	l.get = func(context.Context) (string, error) { return "anywhere", nil }
	text, err := l.call()
	require.NoError(t, err)
	require.Equal(t, "anywhere", text)
}

func TestOtherErrorsAreNotRefusals(t *testing.T) {
	require.NoError(t, grpcserving.Refuse(nil))
	require.Equal(t, io.EOF, grpcserving.Refuse(io.EOF))
}
