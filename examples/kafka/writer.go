package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hotseat-go/hotseat/fencing"
)

// ErrUnknown: a transaction may have been committed, or may yet be. Nothing more of it
// takes effect once the next call with the same token returned nil or [fencing.ErrStale]: read then, before you repeat it.
var ErrUnknown = errors.New("kafka: outcome unknown")

// Config configures a [Writer].
type Config struct {
	// Scope is that of all tokens, [fencing.Scope] of the Lease, and the transactional.id. Nobody else may use it: grant
	// Write on that TransactionalId to this service alone.
	Scope string

	// MarkTopic keeps the mark: one partition, cleanup.policy=compact, for this scope alone.
	MarkTopic string

	// Options say how the brokers are reached: seeds, TLS, SASL, partitioner. They must not consume.
	Options []kgo.Opt

	// Timeout is Kafka's transaction timeout, and bounds a commit. A process that died in a transaction holds up
	// readers for as long, or until the successor is announced. Default 10 s.
	Timeout time.Duration
}

// Writer writes records that only the current term can commit. It is a [fencing.Guard] for one scope and safe for concurrent
// use; its transactions come one after the other. Close it.
type Writer struct {
	cfg  Config
	turn chan struct{} // holds one value while nobody uses the fields below

	session *session
	seen    fencing.Token // highest mark that was read
}

var _ fencing.Guard = (*Writer)(nil)

// New returns a writer. It does not connect.
func New(cfg Config) (*Writer, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	switch {
	case cfg.MarkTopic == "":
		return nil, errors.New("kafka: Config.MarkTopic is empty")
	case cfg.Timeout < time.Second:
		return nil, fmt.Errorf("kafka: Config.Timeout is %v, must be at least 1s", cfg.Timeout)
	}
	if err := fencing.ValidateScope(cfg.Scope); err != nil {
		return nil, err
	}
	w := &Writer{cfg: cfg, turn: make(chan struct{}, 1)}
	w.turn <- struct{}{}
	return w, nil
}

// Close gives up the connections. It waits for calls in progress.
func (w *Writer) Close() {
	<-w.turn
	w.drop()
	w.turn <- struct{}{}
}

// Announce makes t the mark: older producers can commit nothing any more, and what they left open is aborted.
func (w *Writer) Announce(ctx context.Context, t fencing.Token) error { return w.Transact(ctx, t, nil) }

// Check is [Writer.Announce]. Nothing has to follow it: [Writer.Transact] checks by itself.
func (w *Writer) Check(ctx context.Context, t fencing.Token) error { return w.Transact(ctx, t, nil) }

// Mark returns the mark. It waits for transactions on the mark topic that are being decided.
func (w *Writer) Mark(ctx context.Context, scope string) (fencing.Token, error) {
	if err := fencing.OwnScope(scope, w.cfg.Scope); err != nil {
		return fencing.Token{}, err
	}
	mark, err := w.readMark(ctx, toEnd)
	if err != nil {
		return fencing.Token{}, fmt.Errorf("%w: %w", fencing.ErrUnavailable, err)
	}
	return mark, nil
}

// attempts bounds how often a transaction starts over after another producer's init fenced it. A stale one does that
// once, since it then reads the mark and stops.
const attempts = 8

// Transact commits what work produces with tx, all or nothing, if t is admitted until the commit. Work may be called again
// when another producer came in between; its error aborts the transaction. Unless the result is nil or [ErrUnknown]
// nothing was committed; errors are work's, or those of a [fencing.Guard].
func (w *Writer) Transact(ctx context.Context, t fencing.Token, work func(ctx context.Context, tx *Tx) error) error {
	if err := fencing.OwnToken(t, w.cfg.Scope); err != nil {
		return err
	}
	select {
	case <-w.turn:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", fencing.ErrUnavailable, context.Cause(ctx))
	}
	defer func() { w.turn <- struct{}{} }()

	var last error
	for n := range attempts {
		if err := pause(ctx, n); err != nil {
			last = errors.Join(err, last)
			break
		}
		claimed, err := w.claim(ctx, t)
		inWork := err == nil
		if inWork && (work != nil || !claimed) { // a claim just made is as good as a check
			err = w.session.transact(ctx, w.cfg.Timeout, work)
		}
		if err == nil {
			return nil
		}
		w.drop()
		_, aborted := errors.AsType[*workError](err)
		switch {
		case aborted:
			return errors.Unwrap(err)
		case fencing.KindOf(err).Refused():
			return err
		case inWork && work != nil && errors.Is(err, errUnsettled):
			return fmt.Errorf("%w: %w", ErrUnknown, err)
		case !errors.Is(err, errUnsettled) && !fenced(err):
			return fmt.Errorf("%w: %w", fencing.ErrUnavailable, err)
		}
		last = err // fenced, or a mark or check that may be made again
	}
	return fmt.Errorf("%w: %w", fencing.ErrUnavailable, last)
}

// claim makes sure of a session for t: of the producer that is Kafka's current one and has read the mark since it
// became that. It reports whether it had to make one.
func (w *Writer) claim(ctx context.Context, t fencing.Token) (claimed bool, err error) {
	if _, err := fencing.Judge(t, w.seen); errors.Is(err, fencing.ErrStale) { // a conflict may have become that since
		return false, err
	}
	if w.session != nil && w.session.token == t {
		return false, nil
	}
	w.drop()
	// Being polite: a stale one that can know that it is stale does not fence its successor. It proves nothing, and is not
	// waited for.
	if mark, err := w.glance(ctx); err == nil {
		if _, err := fencing.Judge(t, mark); errors.Is(err, fencing.ErrStale) {
			return false, err
		}
	}
	if w.session, err = w.open(t); err != nil {
		return false, err
	}
	// The first transaction bumps the producer epoch: from here on no other producer commits, unless it claims after us
	// and so fences us.
	offset, err := w.session.put(ctx, w.cfg.Timeout, claimKey)
	if err != nil {
		return false, err
	}
	mark, err := w.readMark(ctx, offset+1)
	if err != nil {
		return false, err
	}
	if mark.Epoch < w.seen.Epoch {
		return false, fmt.Errorf("the mark fell from %v to %v", w.seen, mark)
	}
	w.seen = mark
	raises, err := fencing.Judge(t, mark)
	if err != nil {
		return false, err
	}
	if raises {
		// Nobody raised the mark since it was read: whoever does has claimed, and then this commit fails.
		if _, err := w.session.put(ctx, w.cfg.Timeout, markKey); err != nil {
			return false, err
		}
		w.seen = t
	}
	return true, nil
}

// drop gives the session up. Its open transaction, if any, is aborted by the next claim, or by its timeout.
func (w *Writer) drop() {
	if w.session != nil {
		w.session.client.Close()
		w.session = nil
	}
}

// pause waits before attempt n: not at all for the first, and then up to a second: two that claim at once fence
// each other until one is through.
func pause(ctx context.Context, n int) error {
	if n == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(rand.N(min(20*time.Millisecond<<n, time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
