package singleton

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// Term is one uninterrupted stretch of being the active replica. Its methods
// are safe for concurrent use and stay so after it ended.
type Term struct {
	config *Config
	claim  atomic.Pointer[protocol.Claim] // as last acknowledged
	validity
	course

	ctx    context.Context // the work's
	cancel context.CancelCauseFunc

	announced   func(context.Context, *Term, error) // is called after each announcement
	raises      chan raiseRequest
	reconnected chan struct{} // buffered; a renewal was acknowledged after one was not
}

// validity of a term.
type validity struct {
	until atomic.Pointer[protocol.Instant] // it ends then
	over  atomic.Bool                      // it has ended, whatever until says
	lost  chan struct{}                    // closed when over is set
	at    time.Time                        // of that; to be read once lost is closed
	once  sync.Once                        // sets at, and closes lost
}

// course of a term's work.
type course struct {
	began    time.Time    // of the term
	working  atomic.Bool  // work was called: guards know the token, and OnAcquire has returned
	reports  atomic.Bool  // work has reported progress
	progress atomic.Int64 // when work began or last reported it: nanoseconds after began
	renewal  atomic.Int64 // nanoseconds that the last acknowledged renewal took

	limit atomic.Pointer[protocol.Instant] // by when work has to return; nil until it drains
}

type raiseRequest struct {
	ctx  context.Context // of the one who waits for it
	mark int64
	done chan error // buffered
}

func newTerm(ctx context.Context, config *Config, claim protocol.Claim) *Term {
	t := &Term{
		config: config, course: course{began: time.Now()}, validity: validity{lost: make(chan struct{})},
		announced: func(context.Context, *Term, error) {},
		raises:    make(chan raiseRequest), reconnected: make(chan struct{}, 1),
	}
	t.extend(claim)
	ctx, t.cancel = context.WithCancelCause(ctx)
	t.ctx = fencing.NewSourceContext(ctx, t)
	if !config.Fencing.KeepOnStale {
		t.ctx = fencing.WithReporter(t.ctx, t.refused)
	}
	return t
}

// Token returns the term's fencing token. Show it to a guard with every write. Only Raise changes
// it. Code that has no Term, but has a context derived from work's, calls [fencing.FromContext],
// which returns the same token.
func (t *Term) Token() fencing.Token { return t.claim.Load().Token }

// Identity returns what the Lease shows as its holder during the term: [Elector.Identity].
func (t *Term) Identity() string { return t.config.Replica.Identity }

// LeaseUID returns the UID of the Lease on which the term is held. A Lease of the same name that is
// created later is another one, and has another term.
func (t *Term) LeaseUID() types.UID { return t.claim.Load().Record.UID() }

// Valid reports whether this replica is still the only active one, if the assumptions of G1 hold
// (see the package documentation). It is false from the deadline on. Valid only reads clocks and
// takes no lock, so it is correct even if no goroutine of the elector has run yet, for instance
// right after a freeze or a suspend. While work drains after a resignation or a shutdown, Valid
// stays true, because the Lease is kept.
func (t *Term) Valid() bool { return t.left() > 0 }

// Deadline returns when the term's validity ends unless the term is renewed: RenewDeadline after
// the last acknowledged write was sent. Once the term is over, Deadline is in the past.
func (t *Term) Deadline() time.Time { return time.Now().Add(t.left()) }

// StopBudget returns how long work may take to return once the term was lost. It is the same for
// every term of an elector ([lease.Timing.StopBudget]).
func (t *Term) StopBudget() time.Duration { return t.config.Timing.StopBudget() }

// left is how long the term stays valid unless renewed. It is not positive once the term is over.
func (t *Term) left() time.Duration {
	left := t.config.Replica.clock.Until(*t.until.Load())
	if t.over.Load() {
		left = min(left, 0)
	}
	return left
}

// Resign gives the term up. The work's context ends with ErrResigned. The Lease is renewed until
// work has returned, and is then released. This replica stands back for Config.Replica.HoldOff.
// Resign does not wait. It does nothing once the term has ended.
func (t *Term) Resign() { t.end(&EndError{Reason: ReasonResigned}) }

// ResignTo is Resign, and names the replica that is to be active next, by its Pod's name or its
// identity. All others let that one go first for half a RetryPeriod. If it has not taken the Lease
// by then, another does. The error is a [*lease.FieldError] if successor is no such name. Then
// nothing happens.
func (t *Term) ResignTo(successor string) error {
	const most = 300 // a Pod's name has 253 bytes, to which an identity adds 17
	if successor == "" || len(successor) > most || !utf8.ValidString(successor) {
		return &lease.FieldError{Field: "successor", Value: fmt.Sprintf("%.50s", successor),
			Rule: "must be the name of a Pod or an identity"}
	}
	t.end(&EndError{Reason: ReasonResigned, Successor: successor})
	return nil
}

// Raise lifts the term's epoch above mark. Call it when a guard's mark is above the term's epoch
// although this replica still holds the Lease. That happens if the API server was restored to an
// earlier state. If the Lease no longer names the term, the term ends instead. The new token is
// announced to every guard before Raise returns.
//
// Raise fails with one of these errors. After the last two, retry while the term is valid.
//   - A [*lease.FieldError]: mark exceeds the epoch by Config.Fencing.MaxRaise or more.
//   - The [*EndError] of a term that has ended.
//   - The error of ctx.
//   - The error of the request, or of a guard ([*GuardError]).
func (t *Term) Raise(ctx context.Context, mark int64) error {
	if err := t.lift(ctx, mark); err != nil {
		return err
	}
	return announce(ctx, t)
}

// lift raises the epoch on the Lease, through the loop that owns the claim.
func (t *Term) lift(ctx context.Context, mark int64) error {
	if epoch, most := t.Token().Epoch, t.config.Fencing.MaxRaise; mark-epoch >= most {
		return fmt.Errorf("singleton: not raising epoch %d: %w", epoch,
			&lease.FieldError{Field: "mark", Value: mark,
				Rule: fmt.Sprintf("must be less than Config.Fencing.MaxRaise %d above it", most)})
	}
	request := raiseRequest{ctx: ctx, mark: mark, done: make(chan error, 1)}
	select {
	case t.raises <- request:
	case <-t.lost:
		return t.ended()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-request.done:
		return err
	case <-t.lost:
		return t.ended()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// extend takes in an acknowledged write.
func (t *Term) extend(claim protocol.Claim) {
	until := claim.ValidUntil(t.config.Timing)
	t.claim.Store(&claim)
	t.until.Store(&until)
}

// serves reports whether the term's work was called and may go on.
func (t *Term) serves() bool { return t.working.Load() && t.ctx.Err() == nil && t.Valid() }

// end cancels the work's context; the first cause stays.
func (t *Term) end(cause *EndError) { t.cancel(cause) }

// lose ends validity and with it the work's context.
func (t *Term) lose(cause *EndError) {
	t.over.Store(true)
	t.cancel(cause)
	t.finish()
}

// finish ends validity.
func (t *Term) finish() {
	t.over.Store(true)
	t.once.Do(func() {
		t.at = time.Now()
		close(t.lost)
	})
}

// expired is the cause of a term's end at until.
func (t *Term) expired(until protocol.Instant) *EndError {
	return &EndError{Reason: ReasonExpired, Since: until.Add(-t.config.Timing.RenewDeadline).Wall()}
}

// ended is the error for whoever asks something of a term that has ended.
func (t *Term) ended() error {
	return fmt.Errorf("singleton: the term is over: %w", context.Cause(t.ctx))
}

// cause is why the work's context ended; nil while it has not.
func (t *Term) cause() *EndError {
	cause, _ := errors.AsType[*EndError](context.Cause(t.ctx))
	return cause
}
