package fencing_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

const (
	termA = "9f86d081884c7d659a2feaa0c55ad015"
	termB = "0123456789abcdef0123456789abcdef"
)

func token(epoch int64) fencing.Token {
	return fencing.Token{Scope: "shop/invoicer", Epoch: epoch, Term: termA}
}

func TestTokenValidate(t *testing.T) {
	longest := strings.Repeat("n", 63) + "/" + strings.Repeat("l", 253)
	tests := []struct {
		name string
		tok  fencing.Token
		want []string // parts of the message: field, value, rule; nil = valid
	}{
		{"ordinary", token(42), nil},
		{"first epoch", token(1), nil},
		{"last epoch", token(math.MaxInt64), nil},
		{"longest scope", fencing.Token{Scope: longest, Epoch: 1, Term: termA}, nil},
		{"shortest scope", fencing.Token{Scope: "x", Epoch: 1, Term: termA}, nil},
		{"odd but allowed scope", fencing.Token{Scope: "!#$%&'()*+-./:<=>?[]^_`{|}~", Epoch: 1, Term: termB}, nil},

		{"epoch zero", token(0), []string{"Epoch", "0", "at least 1"}},
		{"epoch negative", token(-7), []string{"Epoch", "-7", "at least 1"}},
		{"scope empty", fencing.Token{Epoch: 1, Term: termA}, []string{"Scope", `""`, "1 to 317"}},
		{"scope too long", fencing.Token{Scope: longest + "x", Epoch: 1, Term: termA}, []string{"Scope", "318", "1 to 317"}},
		{"scope with space", fencing.Token{Scope: "a b", Epoch: 1, Term: termA}, []string{"Scope", `"a b"`, "space"}},
		{"scope with at", fencing.Token{Scope: "a@b", Epoch: 1, Term: termA}, []string{"Scope", `"a@b"`}},
		{"scope with quote", fencing.Token{Scope: `a"b`, Epoch: 1, Term: termA}, []string{"Scope"}},
		{"scope with backslash", fencing.Token{Scope: `a\b`, Epoch: 1, Term: termA}, []string{"Scope"}},
		{"scope with comma", fencing.Token{Scope: "a,b", Epoch: 1, Term: termA}, []string{"Scope"}},
		{"scope with semicolon", fencing.Token{Scope: "a;b", Epoch: 1, Term: termA}, []string{"Scope"}},
		{"scope with newline", fencing.Token{Scope: "a\nb", Epoch: 1, Term: termA}, []string{"Scope", `"a\nb"`}},
		{"scope with DEL", fencing.Token{Scope: "a\x7fb", Epoch: 1, Term: termA}, []string{"Scope"}},
		{"scope with umlaut", fencing.Token{Scope: "größe", Epoch: 1, Term: termA}, []string{"Scope", "ASCII"}},
		{"scope with broken UTF-8", fencing.Token{Scope: "a\xffb", Epoch: 1, Term: termA}, []string{"Scope"}},
		{"term empty", fencing.Token{Scope: "s", Epoch: 1}, []string{"Term", `""`, "32"}},
		{"term short", fencing.Token{Scope: "s", Epoch: 1, Term: termA[1:]}, []string{"Term", termA[1:], "32"}},
		{"term long", fencing.Token{Scope: "s", Epoch: 1, Term: termA + "0"}, []string{"Term", "32"}},
		{"term upper case", fencing.Token{Scope: "s", Epoch: 1, Term: strings.ToUpper(termA)}, []string{"Term", "lower-case"}},
		{"term not hex", fencing.Token{Scope: "s", Epoch: 1, Term: "g" + termA[1:]}, []string{"Term"}},
		{"term 32 bytes not ASCII", fencing.Token{Scope: "s", Epoch: 1, Term: strings.Repeat("é", 16)}, []string{"Term"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.tok.Validate()
			text, marshalErr := tt.tok.MarshalText()
			if tt.want == nil {
				require.NoError(t, err)
				require.NoError(t, marshalErr)
				return
			}
			require.ErrorIs(t, err, fencing.ErrMalformed)
			require.NotErrorIs(t, err, fencing.ErrMissing)
			for _, part := range tt.want {
				require.ErrorContains(t, err, part)
			}
			require.Equal(t, err, marshalErr, "what is invalid must not be written")
			require.Nil(t, text)
		})
	}
}

func TestTokenZeroIsMissing(t *testing.T) {
	var zero fencing.Token
	require.True(t, zero.IsZero())
	require.False(t, token(1).IsZero())
	require.ErrorIs(t, zero.Validate(), fencing.ErrMissing)
	require.Equal(t, "none", zero.String())

	_, err := zero.MarshalText()
	require.ErrorIs(t, err, fencing.ErrMissing)
	_, err = json.Marshal(struct{ Token fencing.Token }{})
	require.ErrorIs(t, err, fencing.ErrMissing)
}

func TestTokenText(t *testing.T) {
	for text, tok := range map[string]fencing.Token{
		"shop/invoicer@42." + termA:                  token(42),
		"shop/invoicer@1." + termA:                   token(1),
		"shop/invoicer@9223372036854775807." + termA: token(math.MaxInt64),
		"dotted.ns/dotted.lease@10." + termB:         {Scope: "dotted.ns/dotted.lease", Epoch: 10, Term: termB},
	} {
		require.Equal(t, text, tok.String())
		written, err := tok.MarshalText()
		require.NoError(t, err)
		require.Equal(t, text, string(written))
		parsed, err := fencing.ParseToken(text)
		require.NoError(t, err)
		require.Equal(t, tok, parsed)
	}
}

func TestParseTokenRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                   "",
		"none":                    "none",
		"only separators":         "@.",
		"zero fields":             "@0.",
		"no scope":                "@1." + termA,
		"no epoch":                "s@." + termA,
		"no term":                 "s@1",
		"empty term":              "s@1.",
		"no at":                   "s1." + termA,
		"two at":                  "s@x@1." + termA,
		"epoch zero":              "s@0." + termA,
		"epoch negative":          "s@-1." + termA,
		"epoch with plus":         "s@+1." + termA,
		"epoch with leading zero": "s@01." + termA,
		"epoch with underscore":   "s@1_0." + termA,
		"epoch hexadecimal":       "s@0x1." + termA,
		"epoch with exponent":     "s@1e3." + termA,
		"epoch with space":        "s@ 1." + termA,
		"epoch 2^63":              "s@9223372036854775808." + termA,
		"epoch of 40 digits":      "s@" + strings.Repeat("9", 40) + "." + termA,
		"epoch other digits":      "s@٣." + termA,
		"term upper case":         "s@1." + strings.ToUpper(termA),
		"term short":              "s@1." + termA[1:],
		"dotted rest":             "s@1." + termA + ".",
		"space before":            " s@1." + termA,
		"newline after":           "s@1." + termA + "\n",
		"quoted":                  `"s@1.` + termA + `"`,
		"list":                    "s@1." + termA + ",s@2." + termA,
		"scope too long":          strings.Repeat("s", 318) + "@1." + termA,
		"text too long":           strings.Repeat("s", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			tok, err := fencing.ParseToken(text)
			require.ErrorIs(t, err, fencing.ErrMalformed)
			require.Zero(t, tok)
			require.Less(t, len(err.Error()), 600, "a message must not repeat an oversized input")

			before := token(7)
			into := before
			require.ErrorIs(t, into.UnmarshalText([]byte(text)), fencing.ErrMalformed)
			require.Equal(t, before, into)
		})
	}
}

// A reader whose numbers are doubles reads 2^53+1 as 2^53, and a stale token as a current one.
func TestTokenJSONIsLosslessForDoubles(t *testing.T) {
	type message struct {
		Token    fencing.Token  `json:"token"`
		Optional *fencing.Token `json:"optional,omitempty"`
		Omitted  fencing.Token  `json:"omitted,omitzero"`
	}
	sent := message{Token: token(1<<53 + 1)}
	data, err := json.Marshal(sent)
	require.NoError(t, err)
	require.JSONEq(t, `{"token":"shop/invoicer@9007199254740993.`+termA+`"}`, string(data))

	var untyped map[string]any
	require.NoError(t, json.Unmarshal(data, &untyped))
	passedOn, err := json.Marshal(untyped)
	require.NoError(t, err)
	var got message
	require.NoError(t, json.Unmarshal(passedOn, &got))
	require.Equal(t, sent, got)

	require.Error(t, json.Unmarshal([]byte(`{"token":42}`), &got), "a bare number is no token")
	require.ErrorIs(t, json.Unmarshal([]byte(`{"token":"s@042.`+termA+`"}`), &got), fencing.ErrMalformed)
}

func TestTokenLogsAsOneString(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	log.Info("m", "token", token(42), "none", fencing.Token{})
	require.Contains(t, out.String(), "token=shop/invoicer@42."+termA+" none=none")
}

func TestCompare(t *testing.T) {
	other := token(5)
	other.Term = termB
	elsewhere := token(5)
	elsewhere.Scope = "shop/mailer"
	tests := []struct {
		name string
		a, b fencing.Token
		want int
		err  error
	}{
		{"same", token(5), token(5), 0, nil},
		{"older", token(4), token(5), -1, nil},
		{"newer", token(6), token(5), +1, nil},
		{"widest", token(1), token(math.MaxInt64), -1, nil},
		{"newer of another term", fencing.Token{Scope: other.Scope, Epoch: 6, Term: termB}, token(5), +1, nil},
		{"same epoch, other term", other, token(5), 0, fencing.ErrConflict},
		{"other scope", elsewhere, token(5), 0, fencing.ErrScope},
		{"other scope, lower epoch", elsewhere, token(9), 0, fencing.ErrScope},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			forth, err := fencing.Compare(tt.a, tt.b)
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.want, forth)
			back, err := fencing.Compare(tt.b, tt.a)
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, -tt.want, back)
		})
	}
	_, err := fencing.Compare(other, token(5))
	var conflict *fencing.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, fencing.ConflictError{Presented: other, Mark: token(5)}, *conflict)
}

func TestScope(t *testing.T) {
	require.Equal(t, "shop/invoicer", fencing.Scope("shop", "invoicer"))
	require.NoError(t, fencing.ValidateScope(fencing.Scope(strings.Repeat("n", 63), strings.Repeat("l", 253))), "the longest")
}
