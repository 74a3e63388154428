package fencing

import "context"

// Guard stands before a resource and refuses what an old term sends. It keeps one mark per scope:
// the highest token it has seen. Implementations are safe for concurrent use; package fencingtest
// is a suite for them.
//
// Whoever implements one, over whatever store, does the following for each token that is announced,
// and for each that comes with a write:
//
//  1. Validate it, by [OwnToken]: [ErrMissing] for the zero Token, [ErrMalformed] or [ErrScope] for
//     one it cannot judge. A write with the zero Token is admitted, and nothing else done, if
//     [Unfenced] says so.
//  2. In one atomic step against the store, [Judge] it by the mark of its scope. Older: a
//     [*StaleError]. Same epoch, other term: a [*ConflictError]. Newer, or first: it becomes the
//     mark. The same: nothing changes.
//  3. After raising the mark and before returning nil, make sure that no effect admitted under an
//     older token can still land: end such work and wait for it, or make check and effect one
//     transaction that the new mark excludes. When that cannot be done in bounded time:
//     [ErrUnavailable]. The mark stays raised, and a retry does this step again.
//
// A guard fails closed ([FailClosed], [ParseMark]): whatever it cannot read, parse or reach is
// [ErrUnavailable], never admission; what will not be there before somebody changes the wiring is
// [ErrWiring]. It never lowers or resets a mark, not even a damaged one.
type Guard interface {
	// Announce tells the guard of a token before the work of its term starts: from the moment the
	// mark is raised every older token is refused. It is idempotent. The elector calls it at the
	// start of each term; after [ErrUnavailable] it gives that term up and comes back with the
	// token of a later one. It blocks until the guard has decided, at most until ctx ends.
	Announce(ctx context.Context, t Token) error

	// Mark returns the mark of a scope: the zero Token and no error when the scope was never seen,
	// [ErrMalformed] when it cannot be one, [ErrUnavailable] when the store does not answer.
	Mark(ctx context.Context, scope string) (Token, error)
}

// Checker is a [Guard] that also judges a single effect. An elector needs none: it is for the side
// of the resource, where no transaction or script binds an effect to the judgement.
type Checker interface {
	Guard

	// Check admits one effect that carries t. A token newer than the mark raises it first, as in
	// Announce. A nil result holds for the instant of the call: bind the effect to the check by a
	// transaction, or by what the guard offers for work in flight ([Tracker]).
	Check(ctx context.Context, t Token) error
}

// Tracker is a [Checker] that also follows work in flight, as [Memory] and [Durable] do.
type Tracker interface {
	Checker

	// Enter is Check for an effect that takes time: see [Memory.Enter].
	Enter(ctx context.Context, t Token) (_ context.Context, leave func(), _ error)
}
