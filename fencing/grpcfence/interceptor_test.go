package grpcfence_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/grpcfence"
)

// bare is a connection without our interceptors.
func bare(t testing.TB, addr string) *grpc.ClientConn { return dial(t, addr, grpc.EmptyDialOption{}) }

func elsewhere(epoch int64) fencing.Token {
	tok := token(epoch)
	tok.Scope = "shop/other"
	return tok
}

// What each call is answered with on the wire, and that a refused one neither reaches the handler nor moves the mark.
func TestServerAnswers(t *testing.T) {
	text := func(epoch string) string { return scope + "@" + epoch + "." + termA }
	for name, tt := range map[string]struct {
		method string
		tokens []string
		code   codes.Code
		reason string
		mark   string
	}{
		"current":          {methodWrite, []string{text("42")}, codes.OK, "", ""},
		"newer":            {methodWrite, []string{text("43")}, codes.OK, "", ""},
		"stale":            {methodWrite, []string{text("41")}, codes.FailedPrecondition, "FENCING_STALE", text("42")},
		"conflict":         {methodWrite, []string{rival(42).String()}, codes.Aborted, "FENCING_CONFLICT", text("42")},
		"missing":          {methodWrite, nil, codes.InvalidArgument, "FENCING_MISSING", ""},
		"empty":            {methodWrite, []string{""}, codes.InvalidArgument, "FENCING_MALFORMED", ""},
		"twice":            {methodWrite, []string{text("42"), text("42")}, codes.InvalidArgument, "FENCING_MALFORMED", ""},
		"poisoned":         {methodWrite, []string{text("9223372036854775808")}, codes.InvalidArgument, "FENCING_MALFORMED", ""},
		"negative":         {methodWrite, []string{text("-1")}, codes.InvalidArgument, "FENCING_MALFORMED", ""},
		"leading zero":     {methodWrite, []string{text("043")}, codes.InvalidArgument, "FENCING_MALFORMED", ""},
		"40 digits":        {methodWrite, []string{text(strings.Repeat("9", 40))}, codes.InvalidArgument, "FENCING_MALFORMED", ""},
		"other scope":      {methodWrite, []string{elsewhere(99).String()}, codes.InvalidArgument, "FENCING_SCOPE", ""},
		"unfenced without": {methodRead, nil, codes.OK, "", ""},
		"unfenced, stale":  {methodRead, []string{text("41")}, codes.FailedPrecondition, "FENCING_STALE", text("42")},
		"stream":           {methodPour, []string{text("42")}, codes.OK, "", ""},
		"stream, stale":    {methodPour, []string{text("41")}, codes.FailedPrecondition, "FENCING_STALE", text("42")},
		"stream, missing":  {methodPour, nil, codes.InvalidArgument, "FENCING_MISSING", ""},
		"stream, twice":    {methodPour, []string{text("42"), text("99")}, codes.InvalidArgument, "FENCING_MALFORMED", ""},
		"stream, conflict": {methodPour, []string{rival(42).String()}, codes.Aborted, "FENCING_CONFLICT", text("42")},
	} {
		t.Run(name, func(t *testing.T) {
			reached := make(chan fencing.Token, 1)
			g := &register{seen: func(_ string, _ metadata.MD, tok fencing.Token) { reached <- tok }}
			g.pour = func(grpc.ServerStream) error { return nil }
			g.serve(t)
			require.NoError(t, g.guard.Announce(t.Context(), token(42)))
			ctx := metadata.NewOutgoingContext(t.Context(), metadata.MD{grpcfence.MetadataKey: tt.tokens})
			err := call(ctx, bare(t, g.addr), tt.method)
			require.Equal(t, tt.code, status.Code(err), "%v", err)
			require.Equal(t, tt.reason, infoOf(err).GetReason())
			require.Equal(t, tt.mark, infoOf(err).GetMetadata()["highWater"])
			if err == nil {
				tok := <-reached
				require.Equal(t, len(tt.tokens) == 0, tok.IsZero())
			}
			require.Empty(t, reached)

			want := token(42)
			if name == "newer" {
				want = token(43)
			}
			mark, err := g.guard.Mark(t.Context(), scope)
			require.NoError(t, err)
			require.Equal(t, want, mark)
			mark, err = g.guard.Mark(t.Context(), "shop/other")
			require.NoError(t, err)
			require.Zero(t, mark)
		})
	}
}

// call makes one call of any of the methods and returns how it ended.
func call(ctx context.Context, conn *grpc.ClientConn, method string) error {
	if method != methodPour {
		return conn.Invoke(ctx, method, wrapperspb.String("x"), &wrapperspb.StringValue{})
	}
	s, err := pour(ctx, conn)
	if err != nil {
		return err
	}
	_ = s.CloseSend()
	if err := s.RecvMsg(&wrapperspb.StringValue{}); err != nil && err.Error() != "EOF" {
		return err
	}
	return nil
}

func infoOf(err error) *errdetails.ErrorInfo {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == "hotseat-go.github.io" {
			return info
		}
	}
	return nil
}

func TestClientSendsNothingWithoutAToken(t *testing.T) {
	g := &register{seen: func(method string, _ metadata.MD, _ fencing.Token) { t.Errorf("%s was called", method) }}
	conn := dial(t, g.serve(t).addr)
	stamped := func(ctx context.Context) context.Context {
		return metadata.AppendToOutgoingContext(ctx, grpcfence.MetadataKey, token(42).String())
	}
	for name, tt := range map[string]struct {
		ctx  context.Context
		want error
	}{
		"no token":        {t.Context(), fencing.ErrMissing},
		"hidden token":    {under(t, fencing.Token{}), fencing.ErrMissing},
		"malformed token": {under(t, fencing.Token{Scope: scope, Epoch: -1, Term: termA}), fencing.ErrMalformed},
		"stamped twice":   {stamped(under(t, token(42))), fencing.ErrMalformed},
		"empty reason":    {fencing.AllowUnfenced(t.Context(), ""), fencing.ErrMissing},
	} {
		for _, method := range []string{methodWrite, methodRead, methodPour} {
			err := call(tt.ctx, conn, method)
			require.ErrorIs(t, err, tt.want, name)
			require.Equal(t, codes.InvalidArgument, status.Code(err), name)
		}
	}
}

func TestUnfencedCallsAreSentAsTheyAre(t *testing.T) {
	seen := make(chan []string, 1)
	g := &register{seen: func(_ string, md metadata.MD, _ fencing.Token) { seen <- md.Get(grpcfence.MetadataKey) }}
	conn := dial(t, g.serve(t).addr)
	require.NoError(t, call(fencing.AllowUnfenced(t.Context(), "repair"), conn, methodRead))
	require.Empty(t, <-seen)
	require.NoError(t, call(fencing.AllowUnfenced(under(t, token(42)), "repair"), conn, methodRead))
	require.Equal(t, []string{token(42).String()}, <-seen)
	require.ErrorIs(t, call(fencing.AllowUnfenced(t.Context(), "repair"), conn, methodWrite), fencing.ErrMissing, "the server decides for itself")
}

// Whoever serves may let a call in without a token.
func TestServerAllowsUnfenced(t *testing.T) {
	guard := newMemory(t, 0)
	guarded, err := grpcfence.NewServer(grpcfence.ServerConfig{Guard: guard, Scope: scope})
	require.NoError(t, err)
	allow := func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		return handler(fencing.AllowUnfenced(ctx, "repair"), request)
	}
	allowStream := func(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		return handler(srv, allowed{s})
	}
	g := (&register{guard: guard}).serve(t, append([]grpc.ServerOption{grpc.ChainUnaryInterceptor(allow), grpc.ChainStreamInterceptor(allowStream)}, guarded.ServerOptions()...)...)
	require.NoError(t, call(t.Context(), bare(t, g.addr), methodWrite))
	require.NoError(t, call(t.Context(), bare(t, g.addr), methodPour))
}

type allowed struct{ grpc.ServerStream }

func (a allowed) Context() context.Context {
	return fencing.AllowUnfenced(a.ServerStream.Context(), "repair")
}

func TestClientReadsRefusals(t *testing.T) {
	refusal := func(code codes.Code, reason, mark string) error {
		st, err := status.New(code, "why").WithDetails(&errdetails.ErrorInfo{Domain: "hotseat-go.github.io", Reason: reason, Metadata: map[string]string{"highWater": mark}})
		require.NoError(t, err)
		return st.Err()
	}
	foreign, err := status.New(codes.FailedPrecondition, "why").WithDetails(&errdetails.ErrorInfo{Domain: "example.com", Reason: "FENCING_STALE"})
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		says error
		is   error // nil: the handler's own status comes through
		full error
	}{
		"stale":               {refusal(codes.FailedPrecondition, "FENCING_STALE", token(43).String()), fencing.ErrStale, &fencing.StaleError{Presented: token(42), Mark: token(43)}},
		"conflict":            {refusal(codes.Aborted, "FENCING_CONFLICT", rival(42).String()), fencing.ErrConflict, &fencing.ConflictError{Presented: token(42), Mark: rival(42)}},
		"missing":             {refusal(codes.InvalidArgument, "FENCING_MISSING", ""), fencing.ErrMissing, nil},
		"malformed":           {refusal(codes.InvalidArgument, "FENCING_MALFORMED", ""), fencing.ErrMalformed, nil},
		"scope":               {refusal(codes.InvalidArgument, "FENCING_SCOPE", ""), fencing.ErrScope, nil},
		"unavailable":         {refusal(codes.Unavailable, "FENCING_UNAVAILABLE", ""), fencing.ErrUnavailable, nil},
		"stale, lower mark":   {refusal(codes.FailedPrecondition, "FENCING_STALE", token(41).String()), fencing.ErrUnavailable, nil},
		"stale, our mark":     {refusal(codes.FailedPrecondition, "FENCING_STALE", token(42).String()), fencing.ErrUnavailable, nil},
		"stale, other term":   {refusal(codes.FailedPrecondition, "FENCING_STALE", rival(42).String()), fencing.ErrUnavailable, nil},
		"stale, other scope":  {refusal(codes.FailedPrecondition, "FENCING_STALE", elsewhere(43).String()), fencing.ErrUnavailable, nil},
		"stale, no mark":      {refusal(codes.FailedPrecondition, "FENCING_STALE", ""), fencing.ErrUnavailable, nil},
		"conflict, newer":     {refusal(codes.Aborted, "FENCING_CONFLICT", token(43).String()), fencing.ErrUnavailable, nil},
		"other code":          {refusal(codes.Internal, "FENCING_STALE", token(43).String()), nil, nil},
		"other reason":        {refusal(codes.FailedPrecondition, "FENCED", token(43).String()), nil, nil},
		"other domain":        {foreign.Err(), nil, nil},
		"handler's own":       {status.Error(codes.FailedPrecondition, "not yet"), nil, nil},
		"handler's own abort": {status.Error(codes.Aborted, "again"), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := &register{write: func(context.Context, string) error { return tt.says }, pour: func(grpc.ServerStream) error { return tt.says }}
			conn := dial(t, g.serve(t).addr)
			var told []error
			ctx := fencing.WithReporter(under(t, token(42)), func(err error) { told = append(told, err) })
			for i, method := range []string{methodWrite, methodPour} {
				err := call(ctx, conn, method)
				require.Equal(t, status.Code(tt.says), status.Code(err), "the status stays visible")
				for _, other := range []error{fencing.ErrStale, fencing.ErrConflict, fencing.ErrMissing, fencing.ErrMalformed, fencing.ErrScope, fencing.ErrUnavailable} {
					require.Equal(t, errors.Is(tt.is, other), errors.Is(err, other), "%v as %v", err, other)
				}
				if tt.full != nil {
					require.Equal(t, tt.full, errors.Unwrap(err))
					require.Len(t, told, i+1)
				} else {
					require.Empty(t, told)
				}
			}
		})
	}
}

// A handler's own errors of package fencing are refusals too; what failed behind the guard stays inside.
func TestHandlerErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		says error
		code codes.Code
		text string
	}{
		"stale":       {fmt.Errorf("in a transaction: %w", &fencing.StaleError{Presented: token(42), Mark: token(50)}), codes.FailedPrecondition, "@50."},
		"unavailable": {fmt.Errorf("%w: password rejected", fencing.ErrUnavailable), codes.Unavailable, "fencing: guard unavailable"},
		"its own":     {errors.New("out of paper"), codes.Unknown, "out of paper"},
		"canceled":    {context.Canceled, codes.Canceled, "canceled"},
	} {
		g := &register{write: func(context.Context, string) error { return tt.says }}
		err := call(under(t, token(42)), dial(t, g.serve(t).addr), methodWrite)
		require.Equal(t, tt.code, status.Code(err), name)
		require.ErrorContains(t, err, tt.text, name)
		require.NotContains(t, err.Error(), "password", name)
	}
}

// broken is a guard that cannot decide.
type broken struct{ fencing.Tracker }

var errSecret = errors.New("password rejected")

func (broken) Enter(context.Context, fencing.Token) (context.Context, func(), error) {
	return nil, nil, errSecret
}
func (broken) Announce(context.Context, fencing.Token) error { return errSecret }
func (broken) Mark(context.Context, string) (fencing.Token, error) {
	return fencing.Token{}, errSecret
}

func TestServerFailsClosed(t *testing.T) {
	guarded, err := grpcfence.NewServer(grpcfence.ServerConfig{Guard: broken{}, Scope: scope})
	require.NoError(t, err)
	g := (&register{seen: func(string, metadata.MD, fencing.Token) { t.Error("reached") }}).serve(t, guarded.ServerOptions()...)
	for _, method := range []string{methodWrite, methodRead, methodPour} {
		err := call(under(t, token(42)), dial(t, g.addr), method)
		require.ErrorIs(t, err, fencing.ErrUnavailable)
		require.Equal(t, codes.Unavailable, status.Code(err))
		require.NotContains(t, err.Error(), "password")
	}
}

func TestServerUnavailableWhileOlderWorkIsInFlight(t *testing.T) {
	g := (&register{guard: newMemory(t, 10*time.Millisecond)}).serve(t)
	_, leave, err := g.guard.Enter(t.Context(), token(42))
	require.NoError(t, err)
	conn := dial(t, g.addr)
	require.ErrorIs(t, call(under(t, token(43)), conn, methodWrite), fencing.ErrUnavailable)
	leave()
	require.NoError(t, call(under(t, token(43)), conn, methodWrite))
}

func TestNewRefuses(t *testing.T) {
	for want, cfg := range map[string]grpcfence.ServerConfig{
		"Config.Guard is nil (<nil>)": {Scope: scope},
		"nil (*fencing.Memory)":       {Scope: scope, Guard: (*fencing.Memory)(nil)},
		"Config.Scope":                {Guard: newMemory(t, 0)},
	} {
		_, err := grpcfence.NewServer(cfg)
		require.ErrorContains(t, err, want)
	}
}
