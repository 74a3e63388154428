package fencing

import "context"

// Guard stands before a resource and refuses what an old term sends. It keeps one mark per scope:
// the highest token that it has seen. Implementations are safe for concurrent use. Package
// fencingtest is a test suite for them.
//
// An implementation, over any store, does the following for each token that is announced or that
// comes with a write:
//
//  1. Validate the token, with [OwnToken]. The error is [ErrMissing] for the zero Token, and
//     [ErrMalformed] or [ErrScope] for a token that the guard cannot judge. A write with the zero
//     Token is admitted if [Unfenced] allows it; nothing else is done then.
//  2. In one atomic step against the store, [Judge] the token by the mark of its scope. Refuse an
//     older token with a [*StaleError], and one with the same epoch and another term with a
//     [*ConflictError]. A newer or a first token becomes the mark. If the token is the mark,
//     nothing changes.
//  3. After raising the mark and before returning nil, make sure that no effect admitted under an
//     older token can still land. Either end such work and wait for it, or make check and effect
//     one transaction that cannot take effect after the mark was raised. If that cannot be done in
//     bounded time, return [ErrUnavailable]. The mark stays raised, and a retry does this step
//     again.
//
// A guard fails closed ([FailClosed], [ParseMark]). If it cannot read, parse or reach something, it
// answers [ErrUnavailable] and admits nothing. If only a change of the wiring can help, it answers
// [ErrWiring]. A guard never lowers or resets a mark, not even a damaged one.
type Guard interface {
	// Announce announces a token before the work of its term starts. From the moment the mark is
	// raised, every older token is refused. Announce is idempotent. It blocks until the guard has
	// decided, but at most until ctx ends.
	//
	// The elector calls Announce at the start of each term. If that fails with [ErrUnavailable], it
	// gives the term up and comes back with a later token. While work runs, it announces the same
	// token again from time to time. [ErrUnavailable] does not end the term then.
	Announce(ctx context.Context, t Token) error

	// Mark returns the mark of a scope. It returns the zero Token and no error if the scope was
	// never seen, [ErrMalformed] if the scope breaks the rules of scopes, [ErrScope] if the guard
	// is for another scope, and [ErrUnavailable] if the store does not answer.
	Mark(ctx context.Context, scope string) (Token, error)
}

// Checker is a [Guard] that also judges a single effect. An elector needs no Checker. A server in
// front of a resource does, if no transaction or script makes judgement and effect one step.
type Checker interface {
	Guard

	// Check admits one effect that carries t. A token newer than the mark raises the mark first, as in
	// Announce. A nil result holds only for the instant of the call. Bind the effect to the check by a
	// transaction, or by what the guard offers for work in flight ([Tracker]).
	Check(ctx context.Context, t Token) error
}

// Tracker is a [Checker] that also tracks work in flight, as [Memory] and [Durable] do.
type Tracker interface {
	Checker

	// Enter is Check for an effect that takes time. See [Memory.Enter].
	Enter(ctx context.Context, t Token) (_ context.Context, leave func(), _ error)
}
