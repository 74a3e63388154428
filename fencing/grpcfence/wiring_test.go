package grpcfence_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/grpcfence"
)

// Who is wired to another Lease's server learns both scopes.
func TestWrongScopeNamesBoth(t *testing.T) {
	g := (&register{}).serve(t)
	const says = `fencing: wrong scope: the token's scope is "shop/other", the guard's is "` + scope + `"`
	remote := grpcfence.NewRemote(bare(t, g.addr))
	err := remote.Announce(t.Context(), elsewhere(42))
	require.ErrorIs(t, err, fencing.ErrScope)
	require.EqualError(t, err, says)
	_, err = remote.Mark(t.Context(), "shop/other")
	require.ErrorIs(t, err, fencing.ErrScope)
	require.EqualError(t, err, `fencing: wrong scope: asked for the mark of "shop/other", the guard's scope is "`+scope+`"`)
	err = dial(t, g.addr).Invoke(under(t, elsewhere(42)), methodWrite, wrapperspb.String("x"), &emptypb.Empty{})
	require.ErrorIs(t, err, fencing.ErrScope)
	require.EqualError(t, err, says)
}

// Who announces to somebody else learns to whom, and what that one said.
func TestWrongServiceIsNamed(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer() // of no Server
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	var page http.Server
	page.Protocols = new(http.Protocols)
	page.Protocols.SetUnencryptedHTTP2(true)
	page.Handler = http.NotFoundHandler()
	plain, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = page.Serve(plain) }()
	t.Cleanup(func() { _ = page.Close() })

	for addr, says := range map[string]string{
		listener.Addr().String(): "no Server is registered there: rpc error: code = Unimplemented desc = unknown service hotseat.fencing.v1.Fence",
		plain.Addr().String():    "unexpected HTTP status code received from server: 404 (Not Found)",
	} {
		remote := grpcfence.NewRemote(bare(t, addr))
		err := remote.Announce(t.Context(), token(42))
		require.ErrorIs(t, err, fencing.ErrWiring)
		require.NotErrorIs(t, err, fencing.ErrUnavailable)
		require.ErrorContains(t, err, "fencing: guard miswired: /hotseat.fencing.v1.Fence/Announce at passthrough:///"+addr+": ")
		require.ErrorContains(t, err, says)
		require.Equal(t, codes.Unimplemented, status.Code(err), "the status stays visible")
		_, err = remote.Mark(t.Context(), scope)
		require.ErrorContains(t, err, "/hotseat.fencing.v1.Fence/HighWater at passthrough:///"+addr+": ")
		require.ErrorContains(t, err, says)
	}
	err = grpcfence.NewRemote(answering{text: "hello"}).Announce(t.Context(), token(42))
	require.ErrorContains(t, err, `guard unavailable: /hotseat.fencing.v1.Fence/Announce confirmed "hello" when `)
}

// A server whose guard is miswired says so, and keeps the details for itself.
func TestWiringBehindAFence(t *testing.T) {
	guard := miswired{err: fmt.Errorf("%w: relation \"secret\" does not exist", fencing.ErrWiring)}
	g := (&register{guard: guard}).serve(t)
	err := grpcfence.NewRemote(bare(t, g.addr)).Announce(t.Context(), token(42))
	require.ErrorIs(t, err, fencing.ErrWiring)
	require.NotErrorIs(t, err, fencing.ErrUnavailable)
	require.ErrorContains(t, err, "fencing: guard miswired: /hotseat.fencing.v1.Fence/Announce at passthrough:///"+g.addr+": ")
	require.NotContains(t, err.Error(), "secret")
	err = write(under(t, token(42)), dial(t, g.addr), "x")
	require.ErrorIs(t, err, fencing.ErrWiring)
	require.EqualError(t, err, "fencing: guard miswired")
}

type miswired struct {
	*fencing.Memory
	err error
}

func (m miswired) Announce(context.Context, fencing.Token) error { return m.err }
func (m miswired) Enter(context.Context, fencing.Token) (context.Context, func(), error) {
	return nil, nil, m.err
}
