package fencing

import "context"

type reporterKey struct{}

// WithReporter returns a context in which refused is told of what guards refuse: see [Report]. It is called on the
// goroutine of the write, possibly of several at once, and must not block. Nil takes it out. The elector puts one into
// the work's context.
func WithReporter(ctx context.Context, refused func(error)) context.Context {
	return context.WithValue(ctx, reporterKey{}, refused)
}

// Report passes a refusal on to the term that ctx belongs to, and returns err as it is. A guard's client calls it with
// the context and the error of each write, or just of those that failed:
//
//	return fencing.Report(ctx, err)
//
// Only [ErrStale] and [ErrConflict] are refusals; with any other error, nil too, or without a reporter in ctx, it does nothing.
// Wrap the *[StaleError] or *[ConflictError]: the elector looks there which token was refused, and by which mark.
func Report(ctx context.Context, err error) error {
	if KindOf(err).Refused() {
		if refused, _ := ctx.Value(reporterKey{}).(func(error)); refused != nil {
			refused(err)
		}
	}
	return err
}
