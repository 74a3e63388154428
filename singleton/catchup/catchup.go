package catchup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/singleton"
)

// Config of [Caches]. Only Kinds is required.
type Config struct {
	// Kinds are those whose caches work reads.
	Kinds []Kind

	// Timeout bounds [Caches.Wait]. The term is kept meanwhile. Zero means 10 s; negative is an error.
	Timeout time.Duration

	// Logger is told why a term was given up. Nil means slog.Default().
	Logger *slog.Logger
}

// Caches are the caches of a replica. Make them with [New]. They are safe for concurrent use.
type Caches struct{ config Config }

const (
	defaultTimeout = 10 * time.Second
	firstLook      = 5 * time.Millisecond
	lastLook       = 250 * time.Millisecond
	relist         = time.Second // how often deleted objects are looked for
)

// New returns caches that can be waited for. It makes no request. It fails if a field of c is not
// as documented.
func New(c Config) (*Caches, error) {
	var errs []error
	if len(c.Kinds) == 0 {
		errs = append(errs, errors.New("catchup: Config.Kinds is empty, must name a kind"))
	}
	for i, kind := range c.Kinds {
		for field, missing := range map[string]bool{
			"Name": kind.Name == "", "API": kind.API == nil, "Cached": kind.Cached == nil,
		} {
			if missing {
				errs = append(errs, fmt.Errorf("catchup: Config.Kinds[%d].%s is not set, must be", i, field))
			}
		}
	}
	switch {
	case c.Timeout < 0:
		errs = append(errs, fmt.Errorf("catchup: Config.Timeout is %v, must not be negative", c.Timeout))
	case c.Timeout == 0:
		c.Timeout = defaultTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Caches{c}, nil
}

// Wait returns nil once every cache has what the API server had stored when Wait was called. Call
// it in a term. It fails with
//   - a [*BehindError] when Config.Timeout has passed;
//   - [ErrVersions], at once;
//   - the cause of ctx's end.
func (c *Caches) Wait(ctx context.Context) error {
	late := &BehindError{Timeout: c.config.Timeout}
	bounded, cancel := context.WithTimeoutCause(ctx, c.config.Timeout, late)
	defer cancel()
	lags := make([]Lag, len(c.config.Kinds))
	var waiting sync.WaitGroup
	for i := range c.config.Kinds {
		waiting.Go(func() { lags[i] = c.config.Kinds[i].wait(bounded) })
	}
	waiting.Wait()
	for _, lag := range lags {
		switch {
		case errors.Is(lag.Err, ErrVersions):
			return fmt.Errorf("%s: %w", lag.Name, lag.Err)
		case !lag.none():
			late.Kinds = append(late.Kinds, lag)
		}
	}
	switch {
	case len(late.Kinds) == 0:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return late
}

// wait returns how far the cache is behind when ctx ends, or none once it has caught up.
func (k *Kind) wait(ctx context.Context) (lag Lag) {
	var goal *target
	look, listed := firstLook, time.Time{}
	for {
		switch {
		case goal == nil:
			listed = time.Now()
			if t, err := k.list(ctx); err == nil {
				goal = &t
			} else if ctx.Err() == nil || lag.Err == nil { // else the error before says more
				lag.Err = err
			}
		case lag.Missing > 0 && time.Since(listed) >= relist:
			listed = time.Now()
			if t, err := k.list(ctx); err == nil {
				goal.forget(t)
			}
		}
		if goal != nil {
			if cached, err := k.Cached(ctx); err != nil {
				lag.Err = err
			} else {
				lag = goal.lag(cached)
			}
		}
		lag.Name = k.Name
		if goal != nil && lag.none() || errors.Is(lag.Err, ErrVersions) || !sleep(ctx, look) {
			return lag
		}
		look = min(2*look, lastLook)
	}
}

// sleep returns false if ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// Before returns work that waits first. If Wait fails while the term is valid, the term is resigned
// and work is not called: another replica can then take over, and this one stands by again.
func (c *Caches) Before(work singleton.Work) singleton.Work {
	return func(ctx context.Context, term *singleton.Term) error {
		if err := c.waitOrResign(ctx, term); err != nil {
			return err
		}
		return work(ctx, term)
	}
}

// OnAcquire is a singleton.Hooks.OnAcquire that waits. Work starts after it. If Wait fails while
// the term is valid, the term is resigned and work does not start. Join it with other hooks by
// [singleton.JoinHooks].
func (c *Caches) OnAcquire(ctx context.Context, term *singleton.Term) {
	_ = c.waitOrResign(ctx, term) // it is logged, and the term has ended
}

func (c *Caches) waitOrResign(ctx context.Context, term *singleton.Term) error {
	err := c.Wait(ctx)
	if err != nil && ctx.Err() == nil {
		c.config.Logger.Warn("giving the term up: the caches did not catch up",
			"token", term.Token().String(), "error", err)
		term.Resign()
	}
	return err
}
