package fencing_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

const elsewhere = "shop/mailer"

func TestUnfenced(t *testing.T) {
	allowed := fencing.AllowUnfenced(t.Context(), "repair")
	require.True(t, fencing.Unfenced(allowed, fencing.Token{}))
	require.False(t, fencing.Unfenced(t.Context(), fencing.Token{}))
	require.False(t, fencing.Unfenced(fencing.AllowUnfenced(allowed, ""), fencing.Token{}))
	require.False(t, fencing.Unfenced(allowed, token(1)), "what is presented is judged")
	require.False(t, fencing.Unfenced(allowed, fencing.Token{Epoch: 1}), "also what is no token")
}

func TestOwn(t *testing.T) {
	for _, tt := range []struct {
		token fencing.Token
		own   string
		want  error
	}{
		{token(1), "shop/invoicer", nil},
		{fencing.Token{}, "shop/invoicer", fencing.ErrMissing},
		{fencing.Token{Scope: "shop/invoicer", Epoch: 1}, "shop/invoicer", fencing.ErrMalformed},
		{token(1), elsewhere, fencing.ErrScope},
		{token(1), "", fencing.ErrScope}, // a guard that forgot its scope takes none
	} {
		require.ErrorIs(t, fencing.OwnToken(tt.token, tt.own), tt.want)
	}
	require.NoError(t, fencing.OwnScope("shop/invoicer", "shop/invoicer"))
	require.ErrorIs(t, fencing.OwnScope("", ""), fencing.ErrMalformed)
	require.ErrorIs(t, fencing.OwnScope("a b", "shop/invoicer"), fencing.ErrMalformed)
	require.ErrorIs(t, fencing.OwnScope("shop/invoicer", elsewhere), fencing.ErrScope)
}

func TestParseMark(t *testing.T) {
	mark, err := fencing.ParseMark(token(7).String(), "shop/invoicer")
	require.NoError(t, err)
	require.Equal(t, token(7), mark)
	for _, damaged := range []string{"", "none", token(7).String() + "\n", "shop/invoicer@-7." + termA} {
		mark, err := fencing.ParseMark(damaged, "shop/invoicer")
		require.Equal(t, fencing.KindUnavailable, fencing.KindOf(err), "%v", err)
		require.NotErrorIs(t, err, fencing.ErrMalformed, "that is what the caller's token would be")
		require.Zero(t, mark)
	}
	mark, err = fencing.ParseMark(token(7).String(), elsewhere)
	require.ErrorIs(t, err, fencing.ErrUnavailable)
	require.ErrorIs(t, err, fencing.ErrScope)
	require.Zero(t, mark)
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		presented, mark fencing.Token
		raises          bool
		want            error
	}{
		{token(7), fencing.Token{}, true, nil},
		{token(7), token(6), true, nil},
		{token(7), rival(6), true, nil},
		{token(7), token(7), false, nil},
		{token(7), token(8), false, &fencing.StaleError{Presented: token(7), Mark: token(8)}},
		{token(7), rival(8), false, &fencing.StaleError{Presented: token(7), Mark: rival(8)}},
		{token(7), rival(7), false, &fencing.ConflictError{Presented: token(7), Mark: rival(7)}},
	} {
		raises, err := fencing.Judge(tt.presented, tt.mark)
		require.Equal(t, tt.raises, raises)
		require.Equal(t, tt.want, err)
	}
	foreign := token(1)
	foreign.Scope = elsewhere
	raises, err := fencing.Judge(token(7), foreign)
	require.False(t, raises)
	require.ErrorIs(t, err, fencing.ErrUnavailable)
	require.ErrorIs(t, err, fencing.ErrScope)
}

func TestFailClosed(t *testing.T) {
	require.NoError(t, fencing.FailClosed(nil))
	for _, as := range []error{
		&fencing.StaleError{Presented: token(1), Mark: token(2)}, &fencing.ConflictError{Presented: token(1), Mark: rival(1)},
		fencing.ErrUnavailable, fencing.ErrWiring,
	} {
		err := fmt.Errorf("store: %w", as)
		require.Equal(t, err, fencing.FailClosed(err))
	}
	for _, as := range []error{errors.New("disk full"), context.Canceled, fencing.ErrMissing, fencing.ErrMalformed, fencing.ErrScope} {
		err := fencing.FailClosed(fmt.Errorf("store: %w", as))
		require.ErrorIs(t, err, fencing.ErrUnavailable)
		require.ErrorIs(t, err, as)
	}
}
