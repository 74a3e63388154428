package grpcfence_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/grpcfence"
)

// Who is wired to another Lease's fence learns both scopes.
func TestWrongScopeNamesBoth(t *testing.T) {
	g := (&register{}).serve(t)
	const says = `fencing: wrong scope: the token is of "shop/other", the fence is for "` + scope + `"`
	remote := grpcfence.NewRemote(bare(t, g.addr))
	err := remote.Advance(t.Context(), elsewhere(42))
	require.ErrorIs(t, err, fencing.ErrScope)
	require.EqualError(t, err, says)
	_, err = remote.HighWater(t.Context(), "shop/other")
	require.ErrorIs(t, err, fencing.ErrScope)
	require.EqualError(t, err, `fencing: wrong scope: asked for the mark of "shop/other", the fence is for "`+scope+`"`)
	err = dial(t, g.addr).Invoke(under(t, elsewhere(42)), methodWrite, wrapperspb.String("x"), &emptypb.Empty{})
	require.ErrorIs(t, err, fencing.ErrScope)
	require.EqualError(t, err, says)
}
