package grpcfence_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/grpcfence"
)

// incoming is the context of a call under tok, as a server gets it.
func incoming(t testing.TB, tok fencing.Token) context.Context {
	return metadata.NewIncomingContext(t.Context(), metadata.Pairs(grpcfence.MetadataKey, tok.String()))
}

type fakeStream struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // a stream has one
}

func (f fakeStream) Context() context.Context { return f.ctx }

// It works over a connection with the interceptors and without, to a server with them and without.
func TestRemoteAnnounces(t *testing.T) {
	for name, options := range map[string][]grpc.ServerOption{"fenced server": nil, "plain server": {grpc.EmptyServerOption{}}} {
		for kind, connect := range map[string]func(testing.TB, string) *grpc.ClientConn{
			"fenced client": func(t testing.TB, addr string) *grpc.ClientConn { return dial(t, addr) },
			"plain client":  bare,
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				g := (&register{}).serve(t, options...)
				remote := grpcfence.NewRemote(connect(t, g.addr))
				mark, err := remote.Mark(t.Context(), scope)
				require.NoError(t, err)
				require.Zero(t, mark)
				require.NoError(t, remote.Announce(t.Context(), token(42)))
				require.NoError(t, remote.Check(under(t, token(7)), token(42)), "the argument counts, not the context")
				mark, err = remote.Mark(t.Context(), scope)
				require.NoError(t, err)
				require.Equal(t, token(42), mark)

				var told []error
				ctx := fencing.WithReporter(t.Context(), func(err error) { told = append(told, err) })
				err = remote.Announce(ctx, token(41))
				require.ErrorIs(t, err, fencing.ErrStale)
				require.Equal(t, []error{err}, told)
				require.ErrorIs(t, remote.Check(ctx, fencing.Token{}), fencing.ErrMissing)
				require.NoError(t, remote.Check(fencing.AllowUnfenced(ctx, "repair"), fencing.Token{}))
				require.ErrorIs(t, remote.Announce(fencing.AllowUnfenced(ctx, "repair"), fencing.Token{}), fencing.ErrMissing)
			})
		}
	}
}

// answering is a connection to somebody else.
type answering struct {
	grpc.ClientConnInterface
	text string
	err  error
}

func (a answering) Invoke(_ context.Context, _ string, _, reply any, _ ...grpc.CallOption) error {
	reply.(*wrapperspb.StringValue).Value = a.text //nolint:forcetypeassert // what Remote passes
	return a.err
}

// Only the service's own words count as an announcement, or as a mark.
func TestRemoteBelievesNobodyElse(t *testing.T) {
	for name, tt := range map[string]struct {
		answering
		want error
	}{
		"empty":             {answering{text: ""}, fencing.ErrUnavailable},
		"another token":     {answering{text: token(43).String()}, fencing.ErrUnavailable},
		"malformed":         {answering{text: "42"}, fencing.ErrUnavailable},
		"not served":        {answering{err: status.Error(codes.Unimplemented, "unknown service")}, fencing.ErrWiring},
		"somebody's denial": {answering{err: status.Error(codes.PermissionDenied, "who are you")}, fencing.ErrWiring},
		"no credentials":    {answering{err: status.Error(codes.Unauthenticated, "who are you")}, fencing.ErrWiring},
		"somebody's own":    {answering{err: status.Error(codes.FailedPrecondition, "not yet")}, fencing.ErrUnavailable},
		"deadline":          {answering{err: status.FromContextError(context.DeadlineExceeded).Err()}, fencing.ErrUnavailable},
	} {
		remote := grpcfence.NewRemote(tt.answering)
		require.ErrorIs(t, remote.Announce(t.Context(), token(42)), tt.want, name)
		_, err := remote.Mark(t.Context(), "shop/third")
		for _, is := range []error{fencing.ErrUnavailable, fencing.ErrWiring, fencing.ErrMalformed} {
			require.Equal(t, is == tt.want, errors.Is(err, is), "%s: %v", name, err) //nolint:errorlint // the table's own value
		}
	}
}

func TestRemoteUnreachable(t *testing.T) {
	g := (&register{}).serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, grpcfence.NewRemote(bare(t, g.addr)).Announce(ctx, token(42)), fencing.ErrUnavailable)
}

func TestRemoteOnBrokenGuard(t *testing.T) {
	guarded, err := grpcfence.NewServer(grpcfence.ServerConfig{Guard: broken{}, Scope: scope})
	require.NoError(t, err)
	server := grpc.NewServer()
	guarded.Register(server)
	require.Contains(t, server.GetServiceInfo(), "hotseat.fencing.v1.Fence")
}

// A status of a poisoned peer gives an error, never a panic, and never a refusal that its mark does not bear out.
func FuzzRefusal(f *testing.F) {
	f.Add(token(43).String(), true)
	f.Add(token(42).String(), true)
	f.Add(rival(42).String(), false)
	f.Add("shop/invoicer@9223372036854775808."+termA, true)
	f.Add("", false)
	f.Fuzz(func(t *testing.T, mark string, stale bool) {
		err := grpcfence.Refuse(fencing.ErrConflict)
		if stale {
			err = grpcfence.Refuse(fencing.ErrStale)
		}
		st := status.Convert(err).Proto()
		info := infoOf(err)
		info.Metadata = map[string]string{"highWater": mark}
		if st.Details[0].MarshalFrom(info) != nil {
			return // not UTF-8
		}
		invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
			return status.FromProto(st).Err()
		}
		got := grpcfence.UnaryClient(fencing.NewContext(t.Context(), token(42)), methodWrite, nil, nil, nil, invoke)
		won, invalid := fencing.ParseToken(mark)
		switch {
		case stale && invalid == nil && won.Scope == scope && won.Epoch > 42:
			require.ErrorIs(t, got, fencing.ErrStale)
		case !stale && invalid == nil && won.Scope == scope && won.Epoch == 42 && won.Term != termA:
			require.ErrorIs(t, got, fencing.ErrConflict)
		default:
			require.ErrorIs(t, got, fencing.ErrUnavailable)
		}
	})
}
