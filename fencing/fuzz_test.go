package fencing_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

// What parses is valid and canonical: writing it again gives the same text, so no two texts mean one token.
func FuzzParseToken(f *testing.F) {
	for _, s := range []string{
		"", "@0.", "none",
		"shop/invoicer@42." + termA, "s@9223372036854775807." + termB, "s@9223372036854775808." + termA,
		"s@-1." + termA, "s@01." + termA, "a.b@1." + termA, "s@1." + strings.ToUpper(termA), "<&>@1." + termA,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := fencing.ParseToken(s)
		if err != nil {
			require.ErrorIs(t, err, fencing.ErrMalformed)
			require.Zero(t, tok)
			return
		}
		require.NoError(t, tok.Validate())
		require.Equal(t, s, tok.String())

		data, err := json.Marshal(tok)
		require.NoError(t, err)
		var back fencing.Token
		require.NoError(t, json.Unmarshal(data, &back))
		require.Equal(t, tok, back)
	})
}

// Every token is either written so that it reads back the same, or refused; never written so that it reads back as another.
func FuzzTokenRoundTrip(f *testing.F) {
	f.Add("shop/invoicer", int64(42), termA)
	f.Add("", int64(0), "")
	f.Add("a@1."+termA, int64(2), termB)
	f.Add("s", int64(-1), termA)
	f.Fuzz(func(t *testing.T, scope string, epoch int64, term string) {
		tok := fencing.Token{Scope: scope, Epoch: epoch, Term: term}
		text, err := tok.MarshalText()
		require.Equal(t, tok.Validate(), err)
		if err != nil {
			return
		}
		var back fencing.Token
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, tok, back)
	})
}

// Compare is an order: antisymmetric, and transitive over the tokens that it can order at all.
func FuzzCompare(f *testing.F) {
	f.Add(int64(1), int64(2), int64(3), uint8(0))
	f.Add(int64(5), int64(5), int64(5), uint8(0b101))
	f.Fuzz(func(t *testing.T, x, y, z int64, terms uint8) {
		pick := func(epoch int64, bit uint8) fencing.Token {
			term := termA
			if terms&bit != 0 {
				term = termB
			}
			return fencing.Token{Scope: "s", Epoch: epoch, Term: term}
		}
		a, b, c := pick(x, 1), pick(y, 2), pick(z, 4)
		ab, errAB := fencing.Compare(a, b)
		ba, errBA := fencing.Compare(b, a)
		require.Equal(t, ab, -ba)
		require.Equal(t, errAB == nil, errBA == nil)
		require.Equal(t, x == y && a != b, errAB != nil, "a conflict is exactly one epoch in two terms")
		if errAB == nil {
			require.Equal(t, a == b, ab == 0)
		}
		bc, errBC := fencing.Compare(b, c)
		if ab < 0 && bc < 0 && errAB == nil && errBC == nil {
			ac, err := fencing.Compare(a, c)
			require.NoError(t, err)
			require.Equal(t, -1, ac)
		}
	})
}
