package fencing

import "context"

type reporterKey struct{}

// WithReporter returns a context with a reporter: the function that is passed as refused. [Report]
// calls it with each refusal of a guard. Each call is on the goroutine of its write, so several
// calls may run at once. The reporter must not block. If it is nil, a reporter that ctx has is
// removed. The elector puts a reporter into the work's context.
func WithReporter(ctx context.Context, refused func(error)) context.Context {
	return context.WithValue(ctx, reporterKey{}, refused)
}

// Report passes a refusal on to the term that ctx belongs to, and returns err unchanged. A guard's
// client calls it with the context and the error of each write, or only of each failed write:
//
//	return fencing.Report(ctx, err)
//
// Only [ErrStale] and [ErrConflict] are refusals. With any other error, with nil, or without a
// reporter in ctx, Report does nothing. The error must wrap a *[StaleError] or *[ConflictError],
// from which the elector learns which token was refused, and by which mark.
func Report(ctx context.Context, err error) error {
	if KindOf(err).Refused() {
		if refused, _ := ctx.Value(reporterKey{}).(func(error)); refused != nil {
			refused(err)
		}
	}
	return err
}
