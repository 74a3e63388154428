package guardtest

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

// Conformance checks the rules of [fencing.Guard] and of writes behind it.
func (s Suite) Conformance(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(*conformance)
	}{
		{"NothingYet", nothingYet},
		{"AnnouncedIsAdmitted", announcedIsAdmitted},
		{"AnnounceFencesOlder", announceFencesOlder},
		{"CheckRaises", checkRaises},
		{"WriteRaises", writeRaises},
		{"OneEpochTwoTerms", oneEpochTwoTerms},
		{"NumbersAreExact", numbersAreExact},
		{"MissingToken", missingToken},
		{"MalformedToken", malformedToken},
		{"OtherScope", otherScope},
		{"MalformedScope", malformedScope},
		{"DamagedMark", damagedMark},
	} {
		t.Run(test.name, func(t *testing.T) {
			subject := s.New(t)
			test.run(&conformance{T: t, Suite: s, subject: subject, Client: subject.Client(t)})
		})
	}
}

// conformance is one rule's test. Every call but the one under test must succeed.
type conformance struct {
	*testing.T
	Suite
	Client
	subject Subject
}

func (c *conformance) announce(t fencing.Token) {
	c.Helper()
	require.NoError(c, c.Announce(c.Context(), t))
}

func (c *conformance) write(t fencing.Token, value string) {
	c.Helper()
	require.NoError(c, c.Write(c.Context(), t, value, nothing))
}

// mark asks a client of its own, which has no memory of the others' calls.
func (c *conformance) mark(want fencing.Token) {
	c.Helper()
	for _, client := range []Client{c.Client, c.subject.Client(c.T)} {
		got, err := client.Mark(c.Context(), Scope)
		require.NoError(c, err)
		require.Equal(c, want, got)
	}
}

func (c *conformance) holds(want string) {
	c.Helper()
	got, err := c.Read(c.Context())
	require.NoError(c, err)
	require.Equal(c, want, got)
}

// refuses checks that every door answers t alike, and that neither mark nor value moves.
func (c *conformance) refuses(t fencing.Token, check func(error)) {
	c.Helper()
	mark, err := c.Mark(c.Context(), Scope)
	require.NoError(c, err)
	value, err := c.Read(c.Context())
	require.NoError(c, err)
	check(c.Announce(c.Context(), t))
	check(c.Check(c.Context(), t))
	check(c.Write(c.Context(), t, "refused", nothing))
	c.mark(mark)
	c.holds(value)
}

func (c *conformance) refusesAs(t fencing.Token, want error) {
	c.Helper()
	c.refuses(t, func(err error) {
		c.Helper()
		require.ErrorIs(c, err, want)
	})
}

func (c *conformance) stale(t, mark fencing.Token) {
	c.Helper()
	c.refuses(t, func(err error) {
		c.Helper()
		var stale *fencing.StaleError
		require.ErrorAs(c, err, &stale)
		require.ErrorIs(c, err, fencing.ErrStale)
		require.Equal(c, fencing.StaleError{Presented: t, Mark: mark}, *stale)
	})
}

func (c *conformance) conflict(t, mark fencing.Token) {
	c.Helper()
	c.refuses(t, func(err error) {
		c.Helper()
		var conflict *fencing.ConflictError
		require.ErrorAs(c, err, &conflict)
		require.ErrorIs(c, err, fencing.ErrConflict)
		require.Equal(c, fencing.ConflictError{Presented: t, Mark: mark}, *conflict)
	})
}

func nothingYet(c *conformance) {
	c.mark(fencing.Token{})
	c.holds("")
}

func announcedIsAdmitted(c *conformance) {
	for range 2 { // idempotent
		c.announce(Token(7, 0))
		c.mark(Token(7, 0))
	}
	require.NoError(c, c.Check(c.Context(), Token(7, 0)))
	c.holds("")
	c.write(Token(7, 0), "a")
	c.write(Token(7, 0), "b")
	c.holds("b")
	c.mark(Token(7, 0))
}

func announceFencesOlder(c *conformance) {
	c.write(Token(7, 0), "a")
	c.announce(Token(9, 0))
	c.stale(Token(7, 0), Token(9, 0))
	c.stale(Token(8, 0), Token(9, 0))
	c.holds("a")
	c.write(Token(9, 0), "b")
	c.holds("b")
}

func checkRaises(c *conformance) {
	require.NoError(c, c.Check(c.Context(), Token(3, 0)))
	c.mark(Token(3, 0))
	require.NoError(c, c.Check(c.Context(), Token(5, 0)))
	c.mark(Token(5, 0))
	c.stale(Token(3, 0), Token(5, 0))
}

func writeRaises(c *conformance) {
	c.write(Token(3, 0), "a")
	c.mark(Token(3, 0))
	c.write(Token(5, 0), "b")
	c.mark(Token(5, 0))
	c.stale(Token(3, 0), Token(5, 0))
	c.holds("b")
}

func oneEpochTwoTerms(c *conformance) {
	c.announce(Token(4, 1))
	c.conflict(Token(4, 0), Token(4, 1))
	c.conflict(Token(4, 2), Token(4, 1))
	c.write(Token(4, 1), "a")
	c.conflict(Token(4, 0), Token(4, 1))
	c.write(Token(5, 2), "b")
	c.conflict(Token(5, 1), Token(5, 2))
	c.stale(Token(4, 1), Token(5, 2))
}

// numbersAreExact: neither as text, where 9 is above 10, nor as doubles, where
// 2^53 and 2^53+1 are one.
func numbersAreExact(c *conformance) {
	for _, epochs := range [][2]int64{
		{9, 10},
		{99, 100},
		{1<<31 - 1, 1 << 31},
		{1 << 53, 1<<53 + 1},
		{999_999_999_999_999_999, 1_000_000_000_000_000_000},
		{math.MaxInt64 - 1, math.MaxInt64},
	} {
		older, newer := Token(epochs[0], 0), Token(epochs[1], 0)
		c.announce(older)
		c.conflict(Token(epochs[0], 1), older)
		c.write(newer, "x")
		c.mark(newer)
		c.stale(older, newer)
	}
}

func missingToken(c *conformance) {
	c.refusesAs(fencing.Token{}, fencing.ErrMissing)
	c.write(Token(3, 0), "a")
	c.refusesAs(fencing.Token{}, fencing.ErrMissing)
}

func malformedToken(c *conformance) {
	c.write(Token(3, 0), "a")
	good := Token(4, 0)
	for _, bad := range []fencing.Token{
		{Scope: Scope, Epoch: 0, Term: good.Term},
		{Scope: Scope, Epoch: -1, Term: good.Term},
		{Scope: Scope, Epoch: math.MinInt64, Term: good.Term},
		{Scope: Scope, Epoch: 4, Term: ""},
		{Scope: Scope, Epoch: 4, Term: good.Term[1:]},
		{Scope: Scope, Epoch: 4, Term: "G" + good.Term[1:]},
		{Scope: "", Epoch: 4, Term: good.Term},
		{Scope: "a b", Epoch: 4, Term: good.Term},
		{Scope: `a"b`, Epoch: 4, Term: good.Term},
		{Scope: "a\nb", Epoch: 4, Term: good.Term},
	} {
		c.refusesAs(bad, fencing.ErrMalformed)
	}
}

func otherScope(c *conformance) {
	other := Token(9, 0)
	other.Scope = "shop/other"
	c.write(Token(3, 0), "a")
	if !c.AnyScope {
		c.refusesAs(other, fencing.ErrScope)
		return
	}
	require.NoError(c, c.Announce(c.Context(), other))
	c.mark(Token(3, 0))
	got, err := c.Mark(c.Context(), other.Scope)
	require.NoError(c, err)
	require.Equal(c, other, got)
	c.write(Token(3, 0), "b")
	got, err = c.Mark(c.Context(), "shop/unseen")
	require.NoError(c, err)
	require.Zero(c, got)
}

func malformedScope(c *conformance) {
	for _, scope := range []string{"", "a b", "a,b", `a"`} {
		_, err := c.Mark(c.Context(), scope)
		require.ErrorIs(c, err, fencing.ErrMalformed, scope)
	}
}

// damagedMark: what cannot be read admits nothing, and is not set anew.
func damagedMark(c *conformance) {
	if c.Damage == nil {
		c.Skip("the guard has no stored text that could be damaged")
	}
	for _, text := range []string{
		"", "0", "-1", "+5", "007", "5.0", "1e3", " 5", "abc", "9223372036854775808", "1234567890123456789012345678901234567890",
	} {
		subject := c.New(c)
		client := subject.Client(c)
		require.NoError(c, client.Write(c.Context(), Token(5, 0), "a", nothing))
		c.Damage(c, subject, text)
		for range 2 { // also after the first refusal
			for name, err := range map[string]error{
				"Announce": client.Announce(c.Context(), Token(6, 0)),
				"Check":    client.Check(c.Context(), Token(5, 0)),
				"Write":    client.Write(c.Context(), Token(6, 0), "b", nothing),
			} {
				require.ErrorIs(c, err, fencing.ErrUnavailable, "%s with the mark %q", name, text)
			}
			_, err := client.Mark(c.Context(), Scope)
			require.ErrorIs(c, err, fencing.ErrUnavailable, "Mark with the mark %q", text)
		}
	}
}
