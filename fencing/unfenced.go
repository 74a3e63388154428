package fencing

import "context"

type unfencedKey struct{}

// AllowUnfenced returns a context under which guards admit a write without a token, for a migration
// or a manual repair. It is the only way around a guard. The reason is for logs, and for people who
// search the code for this name. An empty reason allows nothing, and revokes what ctx allowed.
//
// AllowUnfenced matters only if no token is presented. A token that is presented is judged as
// always: a stale one stays refused. What is admitted in this way is not fenced: no later term ends
// it or waits for it. Package fencingprom counts it, as result "unfenced". Some guards admit writes
// through functions that fencingprom does not wrap, such as sqlfence's InTx. Call fencingprom's
// Observe with the result of such a function, even if the result is nil.
func AllowUnfenced(ctx context.Context, reason string) context.Context {
	return context.WithValue(ctx, unfencedKey{}, reason)
}

// UnfencedReason returns the reason given to [AllowUnfenced], and whether ctx allows a write
// without a token. Guards call [Unfenced] instead.
func UnfencedReason(ctx context.Context) (reason string, allowed bool) {
	reason, _ = ctx.Value(unfencedKey{}).(string)
	return reason, reason != ""
}
