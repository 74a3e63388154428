package fencing

import (
	"cmp"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
)

const (
	maxScope  = 63 + 1 + 253 // namespace, slash, name: the API server's own limits
	termChars = 32           // 128 bits in hexadecimal
	maxText   = maxScope + len("@") + len("9223372036854775807") + len(".") + termChars
)

// Token identifies one term: one uninterrupted stretch in which one replica was active. Compare
// tokens with == or [Compare]. A term gets a new token if its epoch is raised
// (singleton.Term.Raise). Guards refuse the old token once they have seen the new one.
//
// The zero Token means "no token". It is never valid. A guard admits it only where [AllowUnfenced]
// allows that.
type Token struct {
	// Scope names a Lease, and thereby the resource that the holder of this Lease writes to. The
	// function [Scope] returns it. Epochs of different scopes are not comparable. A scope is 1 to 317
	// bytes of printable ASCII without space and without the characters @, ", \, comma and semicolon.
	// It fits into headers and text unquoted.
	Scope string

	// Epoch orders the terms of a scope: a later term has a greater epoch. It is at least 1.
	Epoch int64

	// Term is a random id: exactly 32 lower-case hexadecimal digits (128 bits). It distinguishes two
	// terms with the same epoch. Such terms can appear only after the API server was restored from an
	// old copy.
	Term string
}

// Scope returns the scope of a Lease's tokens: namespace/name. It needs no elector. Use it for the
// guards of singleton.Config.Guards, because they are made before the elector. Later, the elector's
// method Scope returns the same. Scope does not validate; see [ValidateScope].
func Scope(namespace, name string) string { return namespace + "/" + name }

// IsZero reports whether t is the zero Token.
func (t Token) IsZero() bool { return t == Token{} }

// Validate returns nil for a well-formed token, and [ErrMissing] for the zero Token. Any other
// error wraps [ErrMalformed], and names the first bad field, its value and the rule.
func (t Token) Validate() error {
	switch {
	case t.IsZero():
		return ErrMissing
	case t.Epoch < 1:
		return fmt.Errorf("%w: Epoch is %d, must be at least 1", ErrMalformed, t.Epoch)
	case len(t.Term) != termChars || strings.Trim(t.Term, "0123456789abcdef") != "":
		return fmt.Errorf("%w: Term is %.40q, must be %d lower-case hexadecimal digits",
			ErrMalformed, t.Term, termChars)
	}
	return ValidateScope(t.Scope)
}

// ValidateScope returns nil for a scope that a token can have. Any error wraps [ErrMalformed], and
// names the value and the rule.
func ValidateScope(s string) error {
	if s == "" || len(s) > maxScope || strings.ContainsFunc(s, notScope) {
		return fmt.Errorf("%w: Scope is %.40q of %d bytes, must be 1 to %d bytes of printable ASCII"+
			" without space and without any of %s",
			ErrMalformed, s, len(s), maxScope, `@ " \ , ;`)
	}
	return nil
}

func notScope(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`@"\,;`, r) }

// String returns the text form, or "none" for the zero Token. It does not validate.
func (t Token) String() string {
	if t.IsZero() {
		return "none"
	}
	return t.Scope + "@" + strconv.FormatInt(t.Epoch, 10) + "." + t.Term
}

// LogValue makes a token one readable string in log/slog.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText returns the text form: scope@epoch.term, for example
//
//	shop/invoicer@42.9f86d081884c7d659a2feaa0c55ad015
//
// So a token is a string in JSON. Even readers whose numbers are doubles (exact up to 2^53 only)
// keep it without loss. A zero or malformed token is an error, as in [Token.Validate]: an empty
// text where a token is expected would look like an unfenced request. Give an optional JSON field
// the type *Token, or the option omitzero.
func (t Token) MarshalText() ([]byte, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	return []byte(t.String()), nil
}

// UnmarshalText is [ParseToken]. On error, t keeps its value.
func (t *Token) UnmarshalText(text []byte) error {
	parsed, err := ParseToken(string(text))
	if err == nil {
		*t = parsed
	}
	return err
}

// ParseToken reads the text form of a token. It accepts exactly the strings that
// [Token.MarshalText] writes, so no two texts mean the same token. Everything else, including the
// empty string, is an error that wraps [ErrMalformed].
func ParseToken(s string) (Token, error) {
	if len(s) > maxText {
		return Token{}, fmt.Errorf("%w: text %.40q... has %d bytes, must have at most %d",
			ErrMalformed, s, len(s), maxText)
	}
	scope, rest, _ := strings.Cut(s, "@")
	digits, term, _ := strings.Cut(rest, ".")
	epoch, err := strconv.ParseInt(digits, 10, 64)
	t := Token{Scope: scope, Epoch: epoch, Term: term}
	if err != nil || t.String() != s { // missing separators, signs and leading zeros
		return Token{}, fmt.Errorf("%w: text is %q, must be scope@epoch.term,"+
			" with epoch a decimal from 1 to 2^63-1 without sign or leading zeros", ErrMalformed, s)
	}
	if err := t.Validate(); err != nil {
		return Token{}, err
	}
	return t, nil
}

// Compare returns -1, 0 or +1 if a is older than, the same as, or newer than b. It fails with
// [ErrScope] if the scopes differ. If the epochs are equal and the terms are not, it fails with a
// [*ConflictError], whose Presented is a and whose Mark is b. On failure the int is 0. Compare does
// not validate its arguments.
func Compare(a, b Token) (int, error) {
	if a.Scope != b.Scope {
		return 0, fmt.Errorf("%w: %q and %q", ErrScope, a.Scope, b.Scope)
	}
	order := cmp.Compare(a.Epoch, b.Epoch)
	if order == 0 && a.Term != b.Term {
		return 0, &ConflictError{Presented: a, Mark: b}
	}
	return order, nil
}
