package fencing

import "context"

type unfencedKey struct{}

// AllowUnfenced returns a context with which a guard admits a write that carries no token: the one way around it, for an
// operator's repair or a migration, say. The reason is for logs and for whoever searches the code for this name. An empty
// one allows nothing, and takes back what ctx allowed.
//
// It stands in for a missing token only. A token that is presented is judged as always: a stale one stays refused.
// Nothing fences what is admitted so: no later term ends it or waits for it. Guards count it
// (result "unfenced" of package fencingprom; with its Observe, where a guard has doors of its own).
func AllowUnfenced(ctx context.Context, reason string) context.Context {
	return context.WithValue(ctx, unfencedKey{}, reason)
}

// UnfencedReason returns the reason given to [AllowUnfenced], and whether ctx allows a write without a token.
// Guards ask [Unfenced].
func UnfencedReason(ctx context.Context) (reason string, allowed bool) {
	reason, _ = ctx.Value(unfencedKey{}).(string)
	return reason, reason != ""
}
