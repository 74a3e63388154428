package fencing

import "context"

// Source supplies the token of a term whose epoch may still be raised. Token must be safe for
// concurrent use, and must not block. It returns the zero Token if there is none.
type Source interface{ Token() Token }

type contextKey struct{}

type fixed Token

func (f fixed) Token() Token { return Token(f) }

// NewContext returns a context that carries t. The zero Token hides a token that ctx already
// carries.
func NewContext(ctx context.Context, t Token) context.Context {
	return NewSourceContext(ctx, fixed(t))
}

// NewSourceContext returns a context whose token comes from s at each call of [FromContext], so
// FromContext sees a raised epoch at once. A nil Source hides a token that ctx already carries.
func NewSourceContext(ctx context.Context, s Source) context.Context {
	return context.WithValue(ctx, contextKey{}, s)
}

// FromContext returns the token that ctx carries, and whether there is one. It is for code below
// the work that gets only the context. Code that has the term may as well call its method Token,
// which returns the same token. FromContext does not allocate, and ignores whether ctx has ended.
func FromContext(ctx context.Context) (Token, bool) {
	s, ok := ctx.Value(contextKey{}).(Source)
	if !ok {
		return Token{}, false
	}
	t := s.Token()
	return t, !t.IsZero()
}
