package fencing

import "context"

// Source supplies the token of a term. The term gets a new token when its epoch is raised
// (singleton.Term.Raise). Token must be safe for concurrent use, and must not block. It returns the
// zero Token if there is none.
type Source interface{ Token() Token }

type contextKey struct{}

type fixed Token

func (f fixed) Token() Token { return Token(f) }

// NewContext returns a context that carries t. The zero Token hides a token that ctx already
// carries.
func NewContext(ctx context.Context, t Token) context.Context {
	return NewSourceContext(ctx, fixed(t))
}

// NewSourceContext returns a context whose token comes from s at each call of [FromContext]. So if
// the epoch of a term is raised (singleton.Term.Raise), FromContext returns the term's new token at
// once. A nil Source hides a token that ctx already carries.
func NewSourceContext(ctx context.Context, s Source) context.Context {
	return context.WithValue(ctx, contextKey{}, s)
}

// FromContext returns the token that ctx carries, and whether there is one. It is for code that
// gets only the context, such as a client of a resource. Code that has a singleton.Term may as well
// call its method Token, which returns the same token. FromContext does not allocate, and ignores
// whether ctx has ended.
func FromContext(ctx context.Context) (Token, bool) {
	s, ok := ctx.Value(contextKey{}).(Source)
	if !ok {
		return Token{}, false
	}
	t := s.Token()
	return t, !t.IsZero()
}
