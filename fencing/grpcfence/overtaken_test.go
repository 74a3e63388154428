package grpcfence_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/grpcfence"
)

// A stream that a newer term cut short is no success, whatever its handler returns: the client would take what came for all.
func TestStreamCutShortIsNoSuccess(t *testing.T) {
	for name, handle := range map[string]func(began chan<- struct{}, s grpc.ServerStream) error{
		"watches its context": func(began chan<- struct{}, s grpc.ServerStream) error {
			close(began)
			<-s.Context().Done()
			return nil
		},
		"stops at a refused Send": func(began chan<- struct{}, s grpc.ServerStream) error {
			close(began)
			for s.SendMsg(wrapperspb.String("x")) == nil {
				time.Sleep(time.Millisecond)
			}
			return nil
		},
		"ignores refused Sends": func(began chan<- struct{}, s grpc.ServerStream) error {
			close(began)
			for range 40 {
				_ = s.SendMsg(wrapperspb.String("x"))
				time.Sleep(2 * time.Millisecond)
			}
			return nil
		},
		"takes any end of what it receives for all": func(began chan<- struct{}, s grpc.ServerStream) error {
			_ = receive(s)
			close(began)
			for receive(s) == nil {
				continue
			}
			_ = s.SendMsg(wrapperspb.String("1 of them"))
			return nil
		},
		"is deaf": func(began chan<- struct{}, s grpc.ServerStream) error {
			_ = s.SendMsg(wrapperspb.String("x"))
			close(began)
			time.Sleep(50 * time.Millisecond)
			return nil
		},
	} {
		for _, tap := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/tap=%v", name, tap), func(t *testing.T) {
				began := make(chan struct{})
				s := &register{guard: newMemory(t, patience), pour: func(s grpc.ServerStream) error { return handle(began, s) }}
				var options []grpc.ServerOption
				if !tap {
					guarded, err := grpcfence.NewServer(grpcfence.ServerConfig{Guard: s.guard, Scope: scope})
					require.NoError(t, err)
					options = guarded.ServerOptions()[1:]
				}
				s.serve(t, options...)
				ctx, cancel := context.WithTimeout(under(t, token(42)), patience)
				defer cancel()
				stream, err := pour(ctx, dial(t, s.addr))
				require.NoError(t, err)
				require.NoError(t, stream.SendMsg(wrapperspb.String("one")))
				<-began
				announced := make(chan error, 1)
				go func() { announced <- s.guard.Announce(t.Context(), token(43)) }()
				for until := time.Now().Add(patience); ; time.Sleep(time.Millisecond) { // without the tap, the next message ends it
					mark, err := s.guard.Mark(t.Context(), scope)
					require.NoError(t, err)
					if mark == token(43) {
						break
					}
					require.True(t, time.Now().Before(until))
				}
				_ = stream.SendMsg(wrapperspb.String("two"))
				stale(t, stream)
				require.NoError(t, <-announced)
			})
		}
	}
}

// A message that the guard would not decide on is not forgotten either.
func TestMessageWithoutAVerdictIsNoSuccess(t *testing.T) {
	guard := &undecided{Memory: newMemory(t, patience)}
	s := &register{guard: guard, pour: func(s grpc.ServerStream) error {
		for {
			if err := receive(s); errors.Is(err, io.EOF) {
				return nil
			}
		}
	}}
	s.serve(t)
	stream, err := pour(under(t, token(42)), dial(t, s.addr))
	require.NoError(t, err)
	require.NoError(t, stream.SendMsg(wrapperspb.String("one")))
	require.NoError(t, stream.CloseSend())
	err = stream.RecvMsg(&wrapperspb.StringValue{})
	require.ErrorIs(t, err, fencing.ErrUnavailable)
	require.Equal(t, codes.Unavailable, status.Code(err))
}

// undecided is a guard whose store is gone once a call was let in.
type undecided struct{ *fencing.Memory }

func (undecided) Check(context.Context, fencing.Token) error { return fencing.ErrUnavailable }

// Probes and tools have no token, and no effect that one would be for.
func TestHealthAndReflectionNeedNoToken(t *testing.T) {
	probe := func(t *testing.T, cfg grpcfence.ServerConfig) (checked, listed error) {
		cfg.Guard, cfg.Scope = newMemory(t, 0), scope
		guarded, err := grpcfence.NewServer(cfg)
		require.NoError(t, err)
		addr := serveProbes(t, guarded)
		conn := bare(t, addr)
		_, checked = healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
		stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
		require.NoError(t, err)
		_ = stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
		_, listed = stream.Recv()
		// A token that is sent is judged.
		elsewhere := token(42)
		elsewhere.Scope = "shop/other"
		_, err = healthpb.NewHealthClient(dial(t, addr)).Check(fencing.NewContext(t.Context(), elsewhere), &healthpb.HealthCheckRequest{})
		assert.ErrorIs(t, err, fencing.ErrScope)
		return checked, listed
	}
	checked, listed := probe(t, grpcfence.ServerConfig{})
	require.NoError(t, checked)
	require.NoError(t, listed)
	checked, listed = probe(t, grpcfence.ServerConfig{Fenced: func(string) bool { return true }})
	require.Equal(t, codes.InvalidArgument, status.Code(checked))
	require.Equal(t, codes.InvalidArgument, status.Code(listed))
}

func serveProbes(t *testing.T, guarded *grpcfence.Server) (addr string) {
	server := grpc.NewServer(guarded.ServerOptions()...)
	healthpb.RegisterHealthServer(server, health.NewServer())
	reflection.Register(server)
	return listen(t, server)
}
