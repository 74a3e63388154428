package grpcfence_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/grpcfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

const (
	scope = guardtest.Scope
	termA = "0123456789abcdef0123456789abcdef"
	termB = "9f86d081884c7d659a2feaa0c55ad015"

	methodWrite = "/test.Register/Write" // a value
	methodRead  = "/test.Register/Read"  // needs no token
	methodPour  = "/test.Register/Pour"  // a stream of values, each answered with an echo

	keyBetween = "between" // metadata: id of what runs between check and effect
	keyEntered = "entered" // header: the handler of a stream runs
)

func token(epoch int64) fencing.Token { return fencing.Token{Scope: scope, Epoch: epoch, Term: termA} }

func rival(epoch int64) fencing.Token { return fencing.Token{Scope: scope, Epoch: epoch, Term: termB} }

func under(t testing.TB, tok fencing.Token) context.Context {
	return fencing.NewContext(t.Context(), tok)
}

// register is a register behind a guard, on a real gRPC server on loopback.
type register struct {
	guard fencing.Tracker
	addr  string
	odds  int                                                    // of losing a connection: see guardtest.NewLink
	write func(context.Context, string) error                    // instead of setting value, if set
	pour  func(grpc.ServerStream) error                          // instead of setting value, if set
	seen  func(method string, md metadata.MD, tok fencing.Token) // each call that reached a handler, if set

	mu       sync.Mutex
	value    string
	betweens map[string]*between
}

// between is a write's way to be called between check and effect, as long as its caller waits.
type between struct {
	mu   sync.Mutex
	call func()
}

func (b *between) run() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.call()
}

func (b *between) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.call = func() {}
}

type registerServer interface{ server() *register }

func (g *register) server() *register { return g }

// serve starts the server. Read needs no token.
func (g *register) serve(t testing.TB, options ...grpc.ServerOption) *register {
	t.Helper()
	if g.guard == nil {
		g.guard = newMemory(t, time.Second)
	}
	g.betweens = map[string]*between{}
	guarded, err := grpcfence.NewServer(grpcfence.ServerConfig{Guard: g.guard, Scope: scope, Fenced: func(m string) bool { return m != methodRead }})
	require.NoError(t, err)
	if options == nil {
		options = guarded.ServerOptions()
	}
	server := grpc.NewServer(options...)
	guarded.Register(server)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Register",
		HandlerType: (*registerServer)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "Write", Handler: unary(methodWrite, func(ctx context.Context, value string) (string, error) { return "", g.set(ctx, value) })},
			{MethodName: "Read", Handler: unary(methodRead, func(ctx context.Context, _ string) (string, error) {
				g.note(ctx, methodRead)
				g.mu.Lock()
				defer g.mu.Unlock()
				return g.value, nil
			})},
		},
		Streams: []grpc.StreamDesc{{StreamName: "Pour", ClientStreams: true, ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error { return g.take(s) }}},
	}, g)
	g.addr = listen(t, server)
	return g
}

// listen serves on loopback until the test ends.
func listen(t testing.TB, server *grpc.Server) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Stop(); <-served })
	return listener.Addr().String()
}

func newMemory(t testing.TB, drain time.Duration) *fencing.Memory {
	t.Helper()
	m, err := fencing.NewMemory(fencing.MemoryConfig{Drain: drain})
	require.NoError(t, err)
	return m
}

func unary(method string, handle func(context.Context, string) (string, error)) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, around grpc.UnaryServerInterceptor) (any, error) {
		request := &wrapperspb.StringValue{}
		if err := decode(request); err != nil {
			return nil, err
		}
		handler := func(ctx context.Context, _ any) (any, error) {
			reply, err := handle(ctx, request.GetValue())
			return wrapperspb.String(reply), err
		}
		if around == nil {
			return handler(ctx, request)
		}
		return around(ctx, request, &grpc.UnaryServerInfo{Server: srv, FullMethod: method}, handler)
	}
}

func (g *register) note(ctx context.Context, method string) {
	if g.seen != nil {
		md, _ := metadata.FromIncomingContext(ctx)
		tok, _ := fencing.FromContext(ctx)
		g.seen(method, md, tok)
	}
}

func (g *register) set(ctx context.Context, value string) error {
	g.note(ctx, methodWrite)
	if g.write != nil {
		return g.write(ctx, value)
	}
	if ids := metadata.ValueFromIncomingContext(ctx, keyBetween); len(ids) == 1 {
		g.mu.Lock()
		here := g.betweens[ids[0]]
		g.mu.Unlock()
		here.run()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.value = value
	return nil
}

func (g *register) take(s grpc.ServerStream) error {
	g.note(s.Context(), methodPour)
	if g.pour != nil {
		return g.pour(s)
	}
	if err := s.SendHeader(metadata.Pairs(keyEntered, "1")); err != nil {
		return err
	}
	for {
		m := &wrapperspb.StringValue{}
		if err := s.RecvMsg(m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := g.set(s.Context(), m.GetValue()); err != nil {
			return err
		}
		if err := s.SendMsg(m); err != nil {
			return err
		}
	}
}

// dial connects to addr, with the client interceptors unless options are given.
func dial(t testing.TB, addr string, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	if options == nil {
		options = grpcfence.DialOptions()
	}
	quick := backoff.Config{BaseDelay: time.Millisecond, Multiplier: 1.5, MaxDelay: 20 * time.Millisecond}
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: quick, MinConnectTimeout: time.Second}))
	conn, err := grpc.NewClient("passthrough:///"+addr, options...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func write(ctx context.Context, conn *grpc.ClientConn, value string) error {
	return conn.Invoke(ctx, methodWrite, wrapperspb.String(value), &wrapperspb.StringValue{})
}

func read(ctx context.Context, conn *grpc.ClientConn) (string, error) {
	reply := &wrapperspb.StringValue{}
	err := conn.Invoke(ctx, methodRead, &emptypb.Empty{}, reply)
	return reply.GetValue(), err
}

// registerClient is a client of the suite, with a connection of its own.
type registerClient struct {
	*grpcfence.Remote
	register     *register
	fenced, bare *grpc.ClientConn
	pour         bool // writes go through a stream each
}

func (g *register) Client(t testing.TB) guardtest.Client {
	addr := guardtest.NewLink(t, g.addr, g.odds).Addr()
	c := &registerClient{register: g, fenced: dial(t, addr), bare: dial(t, addr, grpc.EmptyDialOption{})}
	c.Remote = grpcfence.NewRemote(c.fenced)
	return c
}

func (c *registerClient) Write(ctx context.Context, tok fencing.Token, value string, call func()) error {
	here, id := &between{call: call}, fmt.Sprintf("%p %s %v", c, value, tok)
	defer here.forget()
	c.register.mu.Lock()
	c.register.betweens[id] = here
	c.register.mu.Unlock()
	ctx = metadata.AppendToOutgoingContext(fencing.NewContext(ctx, tok), keyBetween, id)
	if c.pour {
		return c.pourOne(ctx, value)
	}
	return write(ctx, c.fenced, value)
}

// pourOne writes through a stream. A stale answer of a stream that was let in does not say whether a newer term came
// before the write or after it: only the echo does.
func (c *registerClient) pourOne(ctx context.Context, value string) error {
	s, err := pour(ctx, c.fenced)
	if err != nil {
		return err
	}
	if err := errors.Join(s.SendMsg(wrapperspb.String(value)), s.CloseSend()); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	err = s.RecvMsg(&wrapperspb.StringValue{})
	if md, _ := s.Header(); err != nil && len(md.Get(keyEntered)) > 0 {
		return fmt.Errorf("no echo: %s", err.Error())
	}
	return err
}

func (c *registerClient) Read(ctx context.Context) (string, error) { return read(ctx, c.bare) }

func pour(ctx context.Context, conn *grpc.ClientConn) (grpc.ClientStream, error) {
	return conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, methodPour)
}
