package fencing_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

// TestKey: it is the operation's, in every term, and no other operation's or scope's.
func TestKey(t *testing.T) {
	token := fencing.Token{Scope: "shop/invoicer", Epoch: 42, Term: strings.Repeat("0a", 16)}
	key, err := token.Key("charge for invoice 4711")
	require.NoError(t, err)
	require.Equal(t, "32d0d90259ef91d2d319b07e74f04ce7", key, "receivers keep it across releases")
	next := token
	next.Epoch, next.Term = 43, strings.Repeat("0b", 16)
	same, err := next.Key("charge for invoice 4711")
	require.NoError(t, err)
	require.Equal(t, key, same, "the next active asks for the same payment")

	seen := map[string]string{key: "first"}
	other := token
	other.Scope = "shop/invoicer2"
	for _, c := range []struct {
		token     fencing.Token
		operation string
	}{
		{other, "charge for invoice 4711"},
		{token, "charge for invoice 4712"},
		{token, "charge for invoice 4711 "},
		{token, "2\ncharge for invoice 4711"},
		{token, "started " + token.String()},
		{token, "started " + next.String()},
	} {
		key, err := c.token.Key(c.operation)
		require.NoError(t, err)
		require.Regexp(t, "^[0-9a-f]{32}$", key)
		require.NotContains(t, seen, key, c.operation)
		seen[key] = c.operation
	}

	_, err = fencing.Token{}.Key("x")
	require.ErrorIs(t, err, fencing.ErrMissing)
	_, err = token.Key("")
	require.ErrorIs(t, err, fencing.ErrMalformed)
	token.Epoch = 0
	_, err = token.Key("x")
	require.ErrorIs(t, err, fencing.ErrMalformed)
}

// The active that asked for a payment died before it noted the answer. The next one asks again, with
// the same key, and the receiver knows the payment.
func ExampleToken_Key() {
	before := fencing.Token{Scope: "shop/invoicer", Epoch: 42, Term: strings.Repeat("0a", 16)}
	after := fencing.Token{Scope: "shop/invoicer", Epoch: 43, Term: strings.Repeat("0b", 16)}
	for _, token := range []fencing.Token{before, after} {
		key, err := token.Key("charge for invoice 4711")
		if err != nil {
			panic(err)
		}
		fmt.Println("Idempotency-Key:", key)
	}
	// Output:
	// Idempotency-Key: 32d0d90259ef91d2d319b07e74f04ce7
	// Idempotency-Key: 32d0d90259ef91d2d319b07e74f04ce7
}
