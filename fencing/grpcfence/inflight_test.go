package grpcfence_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/grpcfence"
)

const patience = 30 * time.Second

// stage is a register whose handlers report how they ended.
type stage struct {
	*register
	ended chan error
}

func newStage(t *testing.T, handle func(s grpc.ServerStream) error) *stage {
	s := &stage{&register{guard: newMemory(t, patience)}, make(chan error, 1)}
	s.pour = func(stream grpc.ServerStream) error {
		err := handle(stream)
		s.ended <- err
		return err
	}
	s.serve(t)
	return s
}

// open starts a stream under token 42.
func (s *stage) open(t *testing.T) grpc.ClientStream {
	ctx, cancel := context.WithCancel(under(t, token(42)))
	t.Cleanup(cancel)
	stream, err := pour(ctx, dial(t, s.addr))
	require.NoError(t, err)
	return stream
}

// supersede announces token 43; it must be admitted, and the handler be over by then.
func (s *stage) supersede(t *testing.T) error {
	require.NoError(t, s.guard.Announce(t.Context(), token(43)))
	select {
	case err := <-s.ended:
		return err
	default:
		t.Fatal("the newer token was admitted beside the handler")
		return nil
	}
}

// stale checks that the client is told, whatever the handler was at.
func stale(t *testing.T, s grpc.ClientStream) {
	t.Helper()
	for {
		err := s.RecvMsg(&wrapperspb.StringValue{})
		if err == nil {
			continue // echoes on their way
		}
		var refused *fencing.StaleError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, fencing.StaleError{Presented: token(42), Mark: token(43)}, *refused)
		require.Equal(t, codes.FailedPrecondition, status.Code(err))
		return
	}
}

func receive(s grpc.ServerStream) error { return s.RecvMsg(&wrapperspb.StringValue{}) }

func TestBlockedRecvEnds(t *testing.T) {
	receiving := make(chan struct{})
	s := newStage(t, func(s grpc.ServerStream) error {
		if err := receive(s); err != nil {
			return err
		}
		close(receiving)
		return receive(s)
	})
	stream := s.open(t)
	require.NoError(t, stream.SendMsg(wrapperspb.String("one")))
	<-receiving
	require.ErrorIs(t, s.supersede(t), fencing.ErrStale)
	stale(t, stream)
}

func TestBlockedSendEnds(t *testing.T) {
	sending := make(chan struct{})
	s := newStage(t, func(s grpc.ServerStream) error {
		chunk := wrapperspb.String(string(make([]byte, 1<<20)))
		for i := 0; ; i++ { // nobody reads: flow control stops it
			if i == 1 {
				close(sending)
			}
			if err := s.SendMsg(chunk); err != nil {
				return err
			}
		}
	})
	stream := s.open(t)
	<-sending
	require.ErrorIs(t, s.supersede(t), fencing.ErrStale)
	stale(t, stream)
}

// The handler returns what it likes about its context's end; the client learns why.
func TestHandlerThatWatchesItsContext(t *testing.T) {
	for name, answer := range map[string]func(context.Context) error{
		"Err":    func(ctx context.Context) error { return ctx.Err() },
		"Cause":  context.Cause,
		"status": func(ctx context.Context) error { return status.FromContextError(ctx.Err()).Err() },
	} {
		t.Run(name, func(t *testing.T) {
			waiting := make(chan struct{})
			s := newStage(t, func(s grpc.ServerStream) error {
				close(waiting)
				<-s.Context().Done()
				return answer(s.Context())
			})
			stream := s.open(t)
			<-waiting
			_ = s.supersede(t)
			stale(t, stream)
		})
	}
}

func TestUnaryHandlerEnds(t *testing.T) {
	inside, ended := make(chan struct{}), make(chan error, 1)
	g := (&register{guard: newMemory(t, patience), write: func(ctx context.Context, _ string) error {
		close(inside)
		<-ctx.Done()
		return ctx.Err()
	}}).serve(t)
	conn := dial(t, g.addr)
	go func() { ended <- write(under(t, token(42)), conn, "x") }()
	<-inside
	require.NoError(t, g.guard.Announce(t.Context(), token(43)))
	require.ErrorIs(t, <-ended, fencing.ErrStale)
}

// What the handler did before it was overtaken is done, and a reply says so. A stream has none: TestStreamCutShortIsNoSuccess.
func TestHandlerThatFinishesAnyway(t *testing.T) {
	inside, ended := make(chan struct{}), make(chan error, 1)
	g := (&register{guard: newMemory(t, patience), write: func(ctx context.Context, _ string) error {
		close(inside)
		<-ctx.Done()
		return nil
	}}).serve(t)
	conn := dial(t, g.addr)
	go func() { ended <- write(under(t, token(42)), conn, "x") }()
	<-inside
	require.NoError(t, g.guard.Announce(t.Context(), token(43)))
	require.NoError(t, <-ended)
}

// Messages that are here already are not given out after the term, nor are answers sent.
func TestMessagesAreCheckedOneByOne(t *testing.T) {
	waiting := make(chan struct{})
	s := newStage(t, func(s grpc.ServerStream) error {
		if err := receive(s); err != nil {
			return err
		}
		close(waiting)
		<-s.Context().Done()
		if err := s.SendMsg(wrapperspb.String("late")); err == nil {
			return nil
		}
		return receive(s)
	})
	stream := s.open(t)
	for range 2 {
		require.NoError(t, stream.SendMsg(wrapperspb.String("x")))
	}
	<-waiting
	require.ErrorIs(t, s.supersede(t), fencing.ErrStale)
	stale(t, stream)
}

// elsewhereAhead is a guard whose store another process has moved on, which it learns at the next Check.
type elsewhereAhead struct {
	*fencing.Memory
	ahead chan error
}

func (e elsewhereAhead) Check(ctx context.Context, t fencing.Token) error {
	select {
	case err := <-e.ahead:
		return err
	default:
		return e.Memory.Check(ctx, t)
	}
}

func TestEachMessageAsksTheGuard(t *testing.T) {
	guard := elsewhereAhead{newMemory(t, patience), make(chan error, 1)}
	guarded, err := grpcfence.NewServer(grpcfence.ServerConfig{Guard: guard, Scope: scope})
	require.NoError(t, err)
	g := (&register{}).serve(t, guarded.ServerOptions()...)
	stream, err := pour(under(t, token(42)), dial(t, g.addr))
	require.NoError(t, err)
	echo := &wrapperspb.StringValue{}
	require.NoError(t, stream.SendMsg(wrapperspb.String("one")))
	require.NoError(t, stream.RecvMsg(echo))

	guard.ahead <- &fencing.StaleError{Presented: token(42), Mark: token(43)}
	require.NoError(t, stream.SendMsg(wrapperspb.String("two")))
	stale(t, stream)
	value, err := read(t.Context(), bare(t, (g).addr))
	require.ErrorContains(t, err, "no token", "here all methods are fenced")
	require.Empty(t, value)
	g.mu.Lock()
	defer g.mu.Unlock()
	require.Equal(t, "one", g.value)
}

func TestPanickingHandlerLeaves(t *testing.T) {
	guard := newMemory(t, patience)
	guarded, err := grpcfence.NewServer(grpcfence.ServerConfig{Guard: guard, Scope: scope})
	require.NoError(t, err)
	panics := func(context.Context, any) (any, error) { panic("x") }
	ctx := incoming(t, token(42))
	require.Panics(t, func() { _, _ = guarded.UnaryServer(ctx, nil, &grpc.UnaryServerInfo{FullMethod: methodWrite}, panics) })
	require.Panics(t, func() {
		_ = guarded.StreamServer(nil, fakeStream{ctx: ctx}, &grpc.StreamServerInfo{FullMethod: methodPour}, func(any, grpc.ServerStream) error { panic("x") })
	})
	require.NoError(t, guard.Announce(t.Context(), token(43)), "nothing is in flight")
}

// Without the tap, a newer term waits until the client sends or goes; it is never let in beside the handler.
func TestWithoutTheTap(t *testing.T) {
	guard := newMemory(t, 20*time.Millisecond)
	guarded, err := grpcfence.NewServer(grpcfence.ServerConfig{Guard: guard, Scope: scope})
	require.NoError(t, err)
	g := (&register{guard: guard}).serve(t, grpc.StreamInterceptor(guarded.StreamServer))
	stream, err := pour(under(t, token(42)), dial(t, g.addr))
	require.NoError(t, err)
	require.NoError(t, stream.SendMsg(wrapperspb.String("one")))
	require.NoError(t, stream.RecvMsg(&wrapperspb.StringValue{}))
	require.ErrorIs(t, guard.Announce(t.Context(), token(43)), fencing.ErrUnavailable)
	require.NoError(t, stream.SendMsg(wrapperspb.String("two")))
	stale(t, stream)
	require.Eventually(t, func() bool { return guard.Announce(t.Context(), token(43)) == nil }, patience, time.Millisecond)
}
