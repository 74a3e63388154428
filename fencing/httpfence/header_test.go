package httpfence_test

import (
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
)

const (
	scope = "shop/invoicer"
	termA = "0123456789abcdef0123456789abcdef"
	termB = "9f86d081884c7d659a2feaa0c55ad015"
)

func token(epoch int64) fencing.Token { return fencing.Token{Scope: scope, Epoch: epoch, Term: termA} }

// wire is the form of a token, written by hand.
func wire(epoch string) string { return `"` + epoch + `";scope="shop/invoicer";term="` + termA + `"` }

func TestWireForm(t *testing.T) {
	for epoch, want := range map[int64]string{1: wire("1"), 42: wire("42"), math.MaxInt64: wire("9223372036854775807")} {
		got, err := httpfence.Format(token(epoch))
		require.NoError(t, err)
		require.Equal(t, want, got)
		back, err := httpfence.Parse(got)
		require.NoError(t, err)
		require.Equal(t, token(epoch), back)
	}
	longest := fencing.Token{Scope: strings.Repeat("s", 317), Epoch: math.MaxInt64, Term: termB}
	text, err := httpfence.Format(longest)
	require.NoError(t, err)
	back, err := httpfence.Parse(text)
	require.NoError(t, err)
	require.Equal(t, longest, back)
}

func TestFormatRefuses(t *testing.T) {
	for want, bad := range map[error]fencing.Token{
		fencing.ErrMissing:   {},
		fencing.ErrMalformed: {Scope: "two words", Epoch: 1, Term: termA},
	} {
		_, err := httpfence.Format(bad)
		require.ErrorIs(t, err, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, bad := range malformed() {
		got, err := httpfence.Parse(bad)
		require.ErrorIs(t, err, fencing.ErrMalformed, bad)
		require.NotErrorIs(t, err, fencing.ErrMissing, bad)
		require.Zero(t, got)
	}
}

// malformed are field values near a good one.
func malformed() []string {
	return []string{
		"", " ", `""`, "42", `"42"`, token(42).String(),
		wire(""), wire("0"), wire("-1"), wire("+1"), wire("042"), wire("4_2"), wire(" 42"), wire("42 "), wire("4.2"), wire("0x2"), wire("４２"),
		wire("9223372036854775808"), wire(strings.Repeat("1", 40)), wire(strings.Repeat("1", 1000)),
		wire("42") + " ", " " + wire("42"), wire("42") + ";", wire("42") + `;more="1"`, wire("42") + "," + wire("42"), wire("42") + ", " + wire("43"),
		`42;scope="shop/invoicer";term="` + termA + `"`,
		`"42";term="` + termA + `";scope="shop/invoicer"`,
		`"42"; scope="shop/invoicer"; term="` + termA + `"`,
		`"42";scope=shop/invoicer;term="` + termA + `"`,
		`"42";scope="";term="` + termA + `"`,
		`"42";scope="shop/invoicer";scope="shop/invoicer";term="` + termA + `"`,
		`"42";scope="shop\"x";term="` + termA + `"`,
		`"42";scope="shop invoicer";term="` + termA + `"`,
		`"42";scope="` + strings.Repeat("s", 318) + `";term="` + termA + `"`,
		`"42";scope="shop/invoicer"`,
		`"42";scope="shop/invoicer";term=""`,
		`"42";scope="shop/invoicer";term="` + strings.ToUpper(termA) + `"`,
		`"42";scope="shop/invoicer";term="` + termA[1:] + `"`,
		`"42";scope="shop/invoicer";term="` + termA,
		`"0";scope="";term=""`,
	}
}

func TestFromHeader(t *testing.T) {
	h := http.Header{}
	_, err := httpfence.FromHeader(h)
	require.ErrorIs(t, err, fencing.ErrMissing)

	h.Set(httpfence.HeaderToken, wire("42"))
	got, err := httpfence.FromHeader(h)
	require.NoError(t, err)
	require.Equal(t, token(42), got)

	h.Add(httpfence.HeaderToken, wire("42"))
	_, err = httpfence.FromHeader(h)
	require.ErrorIs(t, err, fencing.ErrMalformed, "sent twice, also if alike")
	require.ErrorContains(t, err, "2 fields")
}

// What parses is valid and canonical: writing it again gives the same text, so no two texts mean one token.
func FuzzParse(f *testing.F) {
	f.Add(wire("42"))
	f.Add(wire("9223372036854775807"))
	for _, s := range malformed() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := httpfence.Parse(s)
		if err != nil {
			require.ErrorIs(t, err, fencing.ErrMalformed)
			require.Zero(t, tok)
			return
		}
		text, err := httpfence.Format(tok)
		require.NoError(t, err)
		require.Equal(t, s, text)
	})
}

// Every token is either written so that it reads back the same, or refused.
func FuzzRoundTrip(f *testing.F) {
	f.Add(scope, int64(42), termA)
	f.Add(`a";term="`, int64(2), termB)
	f.Add("", int64(0), "")
	f.Fuzz(func(t *testing.T, scope string, epoch int64, term string) {
		tok := fencing.Token{Scope: scope, Epoch: epoch, Term: term}
		text, err := httpfence.Format(tok)
		require.Equal(t, tok.Validate(), err)
		if err != nil {
			return
		}
		back, err := httpfence.Parse(text)
		require.NoError(t, err)
		require.Equal(t, tok, back)
	})
}
