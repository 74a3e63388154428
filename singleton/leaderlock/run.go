package leaderlock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
)

// process is the one call of Run.
type process struct {
	used  atomic.Bool
	asked func()        // is called when client-go asks for the term
	ready chan struct{} // closed by that
	done  chan struct{} // closed when Run returns

	base context.Context // of runnables: see BaseContext
	lose context.CancelCauseFunc
}

func newProcess() *process {
	p := &process{ready: make(chan struct{}), done: make(chan struct{})}
	p.asked = sync.OnceFunc(func() { close(p.ready) })
	return p
}

// ask notes that client-go asks for the term.
func (p *process) ask() error {
	if !p.used.Load() {
		return ErrNotRun
	}
	select {
	case <-p.done:
		return ErrNotRun
	default:
		p.asked()
		return nil
	}
}

// BaseContext is for manager.Options.BaseContext of controller-runtime. The context that it returns
// carries the current term's token ([fencing.FromContext]). If a guard refuses a write made with
// it, the term ends ([fencing.Report]). The context ends when the term is lost, so that every
// runnable stops at once. At a shutdown the manager stops its runnables in its own order.
func (l *Lock) BaseContext() context.Context { return l.base }

// carry gives a context the token of the current term.
func (l *Lock) carry(ctx context.Context) context.Context {
	return fencing.WithReporter(fencing.NewSourceContext(ctx, l), func(refusal error) {
		if h := l.current(); h != nil {
			_ = fencing.Report(h.ctx, refusal)
		}
	})
}

// Run calls start, and makes this process a candidate when client-go asks for the lock. start is
// the manager's Start. (For client-go's elector use [Lock.RunElector]. leaderelection.RunOrDie
// returns while OnStartedLeading still runs.) start must return soon after its context ends, with
// nothing left running. The context ends when ctx does, and when the term ends. It carries the
// token of the current term.
//
// Run returns after one term at most:
//   - ctx ended. Run returns start's error, after the Lease was released.
//   - start returned by itself. Run returns its error, after the Lease was released.
//   - The term was lost or resigned. Run returns the [*singleton.EndError], joined with start's
//     error.
//   - start's error wraps context.DeadlineExceeded or [singleton.ErrUnfinished], or start has not
//     returned within half the stop budget after a loss. Run returns an error that wraps
//     ErrUnfinished, and the Lease is left to expire. start may still be running.
//   - [singleton.Elector.Run] failed. Run returns that error, joined with start's.
//
// End the process when Run has returned. Run returns [ErrUsed] when it is called again, and a
// [*lease.FieldError] if start is nil. If start panics, the process ends, and the Lease is left to
// expire.
func (l *Lock) Run(ctx context.Context, start func(context.Context) error) error {
	if start == nil {
		return refuse("start", nil, "must not be nil")
	}
	if !l.used.CompareAndSwap(false, true) {
		return ErrUsed
	}
	return l.run(ctx, start)
}

// side is client-go's side: a call of start.
type side struct {
	stop     context.CancelCauseFunc
	returned chan struct{}
	err      error // of start; is set before returned is closed
}

func (l *Lock) run(ctx context.Context, start func(context.Context) error) error {
	defer close(l.done)
	defer l.lose(nil)
	candidate, quit := context.WithCancel(ctx)
	defer quit()
	s := &side{
		returned: make(chan struct{}), err: errors.New("leaderlock: start called runtime.Goexit"),
	}
	started, stop := context.WithCancelCause(l.carry(ctx))
	defer stop(nil)
	s.stop = stop
	go func() {
		defer unlessPanicking(func() {
			close(s.returned)
			if l.current() == nil {
				quit()
			}
		})
		s.err = start(started)
	}()

	err := l.elector.Run(candidate, func(ctx context.Context, term *singleton.Term) error {
		l.begin(ctx, term)
		return l.accompany(ctx, term, s)
	})
	if errors.Is(err, singleton.ErrUnfinished) {
		return err
	}
	stop(err)
	<-s.returned
	switch {
	case err == nil:
		return s.err
	case s.err == nil, errors.Is(err, s.err):
		return err
	default:
		return errors.Join(err, s.err)
	}
}

// unlessPanicking is deferred. If its goroutine panics, it does not call then, so the Lease is
// kept. The other goroutines work until the process has ended.
func unlessPanicking(then func()) {
	if cause := recover(); cause != nil {
		panic(cause)
	}
	then()
}

// accompany is the elector's work: it lasts until start has returned, but after a loss only for
// half the stop budget.
func (l *Lock) accompany(ctx context.Context, term *singleton.Term, s *side) error {
	select {
	case <-s.returned:
		return unfinished(s.err)
	case <-ctx.Done():
	}
	s.stop(context.Cause(ctx))
	budget := l.timing.StopBudget()
	for term.Valid() { // it drains, and may be lost meanwhile
		if s.within(min(time.Until(term.Deadline()), budget/8)) {
			return unfinished(s.err)
		}
	}
	l.lose(context.Cause(ctx))
	if s.within(time.Until(term.Deadline()) + budget/2) {
		return unfinished(s.err)
	}
	return fmt.Errorf("leaderlock: the term was lost (%w), and client-go's side has not stopped"+
		" within half the stop budget of %v: end the process: %w",
		context.Cause(ctx), budget.Round(time.Millisecond), singleton.ErrUnfinished)
}

// within waits until start has returned, but no longer than most. It reports whether start has
// returned.
func (s *side) within(most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-s.returned:
		return true
	case <-timer.C:
		return false
	}
}

// unfinished marks an error of start that says that it gave up waiting for what it started.
func unfinished(err error) error {
	if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, singleton.ErrUnfinished) {
		return fmt.Errorf("leaderlock: %w: %w", singleton.ErrUnfinished, err)
	}
	return err
}

// warmUp holds the elector back until client-go asks for the term, which a manager does after its
// caches have synced.
func (l *Lock) warmUp(config singleton.Config) func(context.Context) error {
	own := config.Replica.WarmUp
	logger := cmp.Or(config.Logger, slog.Default())
	return func(ctx context.Context) error {
		if own != nil {
			if err := own(ctx); err != nil {
				return err
			}
		}
		overdue := time.NewTimer(l.timing.LeaseDuration)
		defer overdue.Stop()
		for {
			select {
			case <-l.ready:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-overdue.C:
				logger.Warn("client-go's elector has not asked for the lock yet, so this replica is no"+
					" candidate: either the caches have not synced, or the manager lacks the options"+
					" LeaderElection and LeaderElectionResourceLockInterface", "lease", l.Describe())
			}
		}
	}
}
