package guardtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// Parked stops a write between its check and its effect and announces a newer
// token. The write goes on once that is announced, or once it is seen to wait for
// the write. It may take effect before the announcement returns, or never.
func (s Suite) Parked(t *testing.T) {
	t.Helper()
	if err := s.parked(t); err != nil {
		t.Fatalf("guardtest: %v", err)
	}
}

func (s Suite) parked(t testing.TB) error {
	subject := s.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	old, successor, reader := subject.Client(t), subject.Client(t), subject.Client(t)
	older, newer := Token(1, 0), Token(2, 0)
	if err := old.Announce(ctx, older); err != nil {
		return fmt.Errorf("announcing the older token: %w", err)
	}

	parked, resume := make(chan struct{}), make(chan struct{})
	var once, let sync.Once
	release := func() { let.Do(func() { close(resume) }) }
	defer release()
	write := make(chan error, 1)
	go func() {
		write <- old.Write(ctx, older, "stale", func() {
			once.Do(func() { close(parked) })
			select {
			case <-resume:
			case <-ctx.Done():
			}
		})
	}()
	select {
	case <-parked:
	case err := <-write:
		return fmt.Errorf("the write never came between its check and its effect: %w", err)
	}

	announced := make(chan error, 1)
	go func() {
		announced <- settle(ctx, func(ctx context.Context) error {
			return successor.Announce(ctx, newer) // ErrUnavailable: the write is in the way still
		})
	}()
	// A guard that waits for the write must not answer before it; one that
	// refuses the write later answers at once. Either way the write goes on only
	// after the guard had time to be wrong.
	var err error
	waits := false
	select {
	case err = <-announced:
	case <-time.After(500 * time.Millisecond):
		waits = true
	}
	before := ""
	if !waits {
		if before, err = valueAfter(ctx, reader, err); err != nil {
			return err
		}
	}
	release()
	if waits {
		if before, err = valueAfter(ctx, reader, <-announced); err != nil {
			return err
		}
	}
	outcome := <-write
	after, err := valueAfter(ctx, reader, nil)
	switch {
	case err != nil:
		return err
	case after != before:
		return fmt.Errorf("a stale write (answered %s) took effect after a newer token was announced: %q, then %q", fmt.Sprint(outcome), before, after)
	case outcome == nil && after != "stale":
		return fmt.Errorf("the write was accepted and has no effect: %q", after)
	}
	if err := old.Write(ctx, older, "again", nothing); !errors.Is(err, fencing.ErrStale) {
		return fmt.Errorf("a stale write afterwards: %w, want ErrStale", err)
	}
	return nil
}

func valueAfter(ctx context.Context, c Client, announced error) (string, error) {
	if announced != nil {
		return "", fmt.Errorf("announcing the newer token: %w", announced)
	}
	value, err := c.Read(ctx)
	if err != nil {
		return "", fmt.Errorf("reading: %w", err)
	}
	return value, nil
}
