package fencing

import "context"

// Guard stands before a resource and refuses what an old term sends. It keeps one high-water mark per scope: the
// highest token it has seen. Implementations are safe for concurrent use.
//
// Whoever implements one, over whatever store, does the following for each token presented to Advance or Check:
//
//  1. Validate it, by [OwnToken]: [ErrMissing] for the zero Token, [ErrMalformed] or [ErrScope] for one it cannot judge. Check
//     admits the zero Token, and does no more, if [Unfenced] says so.
//  2. In one atomic step against the store, [Judge] it by the mark of its scope. Older: a [*StaleError]. Same epoch,
//     other term: a [*ConflictError]. Newer, or first: it becomes the mark. The same: nothing changes.
//  3. After raising the mark and before returning nil, make sure that no effect admitted under an older token can still
//     land: end such work and wait for it, or make check and effect one transaction that the new mark excludes. When
//     that cannot be done in bounded time: [ErrUnavailable]. The mark stays raised, and a retry does this step again.
//
// A guard fails closed ([FailClosed], [ParseMark]): whatever it cannot read, parse or reach is [ErrUnavailable], never admission;
// what will not be there before somebody changes the wiring is [ErrWiring]. It never lowers or resets a mark, also not when the stored one is damaged.
type Guard interface {
	// Advance announces a token before the work of its term starts: from the moment the mark is raised every older
	// token is refused. It is idempotent. The elector calls it at the start of each term; after [ErrUnavailable] it gives that
	// term up and comes back with the token of a later one.
	// It blocks until the guard has decided, at most until ctx ends.
	Advance(ctx context.Context, t Token) error

	// Check admits one effect that carries t. A token newer than the mark raises it first, as in Advance. A nil result
	// holds for the instant of the call: bind the effect to the check by a transaction, or by what the guard
	// offers for work in flight ([Memory.Enter]).
	Check(ctx context.Context, t Token) error

	// HighWater returns the mark of a scope: the zero Token and no error when the scope was never seen,
	// [ErrMalformed] when it cannot be one, [ErrUnavailable] when the store does not answer.
	HighWater(ctx context.Context, scope string) (Token, error)
}

// Tracker is a [Guard] that also follows work in flight, as [Memory] and [Durable] do.
type Tracker interface {
	Guard

	// Enter is Check for an effect that takes time: see [Memory.Enter].
	Enter(ctx context.Context, t Token) (_ context.Context, leave func(), _ error)
}
