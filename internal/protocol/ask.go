package protocol

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// underway counts the requests of one client that have not returned.
type underway struct{ atomic.Int32 }

// mostUnderway bounds them, so that a client that never returns does not cost a
// goroutine for each attempt. An elector has at most a dozen.
const mostUnderway = 24

// errUnderway: requests before this one have not ended.
var errUnderway = errors.New("earlier requests have not ended although their deadlines passed: does a credential plugin hang?")

type reply[T any] struct {
	value T
	err   error
}

// repeatedError is the answer to a request of which more than one copy was sent. What becomes of
// the other copies is not known.
type repeatedError struct{ error }

func (e repeatedError) Unwrap() error { return e.error }

// ask makes a request. Whenever the time beside passes without an answer, ask sends the same
// request again, beside the first, until one is answered or ctx ends. beside 0 means one request
// only. So a slow server is waited for, and a lost request costs no more than beside.
//
// ask does not wait for a request beyond ctx, whatever the client does. A request that does not end
// is left behind, and its answer is ignored.
func ask[T any](ctx context.Context, u *underway, beside time.Duration, request func(context.Context) (T, error)) (T, error) {
	var none T
	if ctx.Err() != nil {
		return none, unanswered(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan reply[T])
	sent := 0
	send := func() error {
		if u.Load() >= mostUnderway {
			return errUnderway
		}
		u.Add(1)
		sent++
		go func() {
			defer u.Add(-1)
			value, err := request(ctx)
			select {
			case answers <- reply[T]{value, err}:
			case <-ctx.Done():
			}
		}()
		return nil
	}
	if err := send(); err != nil {
		return none, err
	}
	var again <-chan time.Time
	if beside > 0 {
		ticker := time.NewTicker(beside)
		defer ticker.Stop()
		again = ticker.C
	}
	for {
		select {
		case answer := <-answers:
			if answer.err != nil && sent > 1 {
				answer.err = repeatedError{answer.err}
			}
			return answer.value, answer.err
		case <-again:
			_ = send() // the one under way may still be answered
		case <-ctx.Done():
			return none, unanswered(ctx)
		}
	}
}

// unanswered is the error of a request that ctx ended.
func unanswered(ctx context.Context) error {
	err := ctx.Err()
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("not answered in time: %w", err)
	}
	return err
}
