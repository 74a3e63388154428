package guardtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// Hammer is split brain, forced: two actives write for d as fast as they can,
// each sure that it is the one. In turns, one gets a new token, announces it and
// goes on; the other never learns. No write that began after a newer token's
// announcement returned may be accepted, and an order of all calls must explain
// the answers and the register's last value.
//
// HOTSEAT_HAMMER, a duration, makes it longer: make guards asks for 30 s.
func (s Suite) Hammer(t *testing.T, d time.Duration) {
	t.Helper()
	if longer, err := time.ParseDuration(os.Getenv("HOTSEAT_HAMMER")); err == nil {
		d = max(d, longer)
	}
	result, err := s.hammer(t, d)
	t.Logf("guardtest: %d terms, writes: %d accepted, %d stale refused, %d unknown", result.terms, result.accepted, result.refused, result.unknown)
	if err != nil {
		t.Fatalf("guardtest: %v", err)
	}
	if !result.says() {
		t.Fatal("guardtest: too little happened to say anything")
	}
}

type hammered struct{ terms, accepted, refused, unknown int }

// says reports whether enough happened to say anything.
func (h hammered) says() bool { return h.terms >= 2 && h.accepted > 0 && h.refused > 0 }

// busy is how much longer than asked for a hammer goes on until enough happened.
const busy = 20 * time.Second

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// termLength is how long an active has the newest token: terms change often, and each
// sees writes of both.
const termLength = 100 * time.Millisecond

func (s Suite) hammer(t testing.TB, d time.Duration) (hammered, error) {
	subject := s.New(t)
	h := &history{}
	var announced atomic.Int64 // highest epoch whose announcement returned
	var tokens [2]atomic.Int64 // what each active believes in
	tokens[0].Store(1)
	tokens[1].Store(2)

	ctx, cancel := context.WithTimeout(t.Context(), d+busy)
	defer cancel()
	var all sync.WaitGroup
	var mu sync.Mutex
	var result hammered
	var errs []error
	all.Go(func() { // on a busy machine too little happens in the time given
		defer cancel()
		pause(ctx, d)
		for ctx.Err() == nil {
			mu.Lock()
			enough := result.says() || len(errs) > 0
			mu.Unlock()
			if enough {
				return
			}
			pause(ctx, termLength)
		}
	})
	for id := range tokens {
		r := recorder{Client: subject.Client(t), history: h}
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				token, newest := Token(tokens[id].Load(), 0), announced.Load()
				err := r.write(t.Context(), token, fmt.Sprintf("%d-%d", id, i), nothing)
				mu.Lock()
				switch {
				case err == nil:
					result.accepted++
					if token.Epoch < newest {
						errs = append(errs, fmt.Errorf("a write with epoch %d was accepted, and began after %d was announced", token.Epoch, newest))
					}
				case errors.Is(err, fencing.ErrStale):
					result.refused++
				default:
					result.unknown++
				}
				mu.Unlock()
				if i%4 == 0 { // or only the last value would tell of what was refused and written
					_, _ = r.read(t.Context())
				}
				time.Sleep(time.Millisecond) // the search takes as long as the history
			}
		})
	}
	r := recorder{Client: subject.Client(t), history: h}
	all.Go(func() {
		for epoch := int64(3); ctx.Err() == nil; epoch++ {
			time.Sleep(termLength)
			if err := settle(t.Context(), func(ctx context.Context) error { return r.announce(ctx, Token(epoch, 0)) }); err != nil {
				mu.Lock()
				errs = append(errs, fmt.Errorf("announcing %d: %w", epoch, err))
				mu.Unlock()
				return
			}
			announced.Store(epoch)
			tokens[epoch%2].Store(epoch)
			mu.Lock()
			result.terms++
			mu.Unlock()
		}
	})
	all.Wait()
	last := recorder{Client: subject.Client(t), history: h}
	errs = append(errs, settle(t.Context(), func(ctx context.Context) error {
		_, err := last.read(ctx)
		return err
	}))
	return result, errors.Join(append(errs, h.judge())...)
}
