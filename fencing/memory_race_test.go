package fencing_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

// auditor checks from outside what a guard promises for one scope. Its own lock makes its log one history.
type auditor struct {
	mu       sync.Mutex
	settled  int64            // highest epoch for which some call has returned nil
	inFlight map[int64]int    // between Enter's return and leave, by epoch
	terms    map[int64]string // first term admitted with an epoch
	mark     int64
	faults   []string
	counts   map[string]int
}

func newAuditor() *auditor {
	return &auditor{inFlight: map[int64]int{}, terms: map[int64]string{}, counts: map[string]int{}}
}

func (a *auditor) fault(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

func (a *auditor) before() (settled int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.settled
}

// admitted records that a call with tok returned nil; settled is what before returned when the call began.
func (a *auditor) admitted(tok fencing.Token, settled int64, entered bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counts["admitted"]++
	if tok.Epoch < settled {
		a.fault("epoch %d admitted by a call that began after %d had been", tok.Epoch, settled)
	}
	if entered && tok.Epoch < a.settled {
		a.fault("epoch %d entered after a call with %d returned", tok.Epoch, a.settled)
	}
	for epoch := range a.inFlight {
		if epoch < tok.Epoch {
			a.fault("epoch %d admitted with %d in flight", tok.Epoch, epoch)
		}
	}
	if first, ok := a.terms[tok.Epoch]; ok && first != tok.Term {
		a.fault("two terms admitted with epoch %d", tok.Epoch)
	}
	a.terms[tok.Epoch] = tok.Term
	a.settled = max(a.settled, tok.Epoch)
	if entered {
		a.inFlight[tok.Epoch]++
	}
}

func (a *auditor) leaving(tok fencing.Token) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inFlight[tok.Epoch]--; a.inFlight[tok.Epoch] == 0 {
		delete(a.inFlight, tok.Epoch)
	}
}

// refused checks that a refusal is true of the tokens that it names.
func (a *auditor) refused(tok fencing.Token, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var stale *fencing.StaleError
	var conflict *fencing.ConflictError
	switch {
	case errors.As(err, &stale):
		a.counts["stale"]++
		if stale.Presented != tok || stale.Mark.Epoch <= tok.Epoch {
			a.fault("%v refused with %v", tok, err)
		}
	case errors.As(err, &conflict):
		a.counts["conflict"]++
		if conflict.Presented != tok || conflict.Mark.Epoch != tok.Epoch || conflict.Mark.Term == tok.Term {
			a.fault("%v refused with %v", tok, err)
		}
	case errors.Is(err, fencing.ErrUnavailable):
		a.counts["unavailable"]++
	default:
		a.fault("%v refused with %v", tok, err)
	}
}

func (a *auditor) marked(before, now fencing.Token) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Epoch < before.Epoch {
		a.fault("mark fell from %d to %d", before.Epoch, now.Epoch)
	}
	a.mark = max(a.mark, now.Epoch)
}

// hammer is one client: rounds random calls with epochs around the current mark, pausing by pause.
func hammer(t *testing.T, m *fencing.Memory, a *auditor, rng *rand.Rand, rounds int, pause func(*rand.Rand)) {
	for range rounds {
		mark, err := m.Mark(t.Context(), "shop/invoicer")
		if err != nil {
			t.Error(err)
			return
		}
		pause(rng)
		tok := token(max(1, mark.Epoch+int64(rng.IntN(6))-4))
		if rng.IntN(8) == 0 {
			tok.Term = termB
		}
		present(t, m, a, rng, tok, pause)
		now, _ := m.Mark(t.Context(), "shop/invoicer")
		a.marked(mark, now)
	}
}

// present takes one of the doors with tok and reports what came of it.
func present(t *testing.T, m *fencing.Memory, a *auditor, rng *rand.Rand, tok fencing.Token, pause func(*rand.Rand)) {
	settled := a.before()
	if rng.IntN(2) == 0 {
		door := m.Announce
		if rng.IntN(2) == 0 {
			door = m.Check
		}
		if err := door(t.Context(), tok); err != nil {
			a.refused(tok, err)
			return
		}
		a.admitted(tok, settled, false)
		return
	}
	work, leave, err := m.Enter(t.Context(), tok)
	if err != nil {
		a.refused(tok, err)
		return
	}
	a.admitted(tok, settled, true)
	pause(rng)
	if work.Err() == nil || rng.IntN(2) == 0 {
		pause(rng) // half of the work that was told to end does not listen
	}
	a.leaving(tok)
	leave()
}

func (a *auditor) verdict(t *testing.T, m *fencing.Memory) {
	t.Helper()
	require.Empty(t, a.faults)
	require.NoError(t, m.Announce(t.Context(), token(a.mark+1)), "when all work has left, the next term gets in")
}

// Virtual time: pauses of milliseconds against a Drain of about their size, so that waits, timeouts and overtaking happen.
func TestMemoryHistoriesInVirtualTime(t *testing.T) {
	total := map[string]int{}
	for seed := range uint64(150) {
		ok := t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, a := newMemory(t, 4*time.Millisecond), newAuditor()
				var clients sync.WaitGroup
				for n := range uint64(8) {
					rng := rand.New(rand.NewPCG(seed, n))
					clients.Go(func() {
						hammer(t, m, a, rng, 40, func(rng *rand.Rand) { time.Sleep(time.Duration(rng.IntN(6)) * time.Millisecond) })
					})
				}
				clients.Wait()
				a.verdict(t, m)
				for what, n := range a.counts {
					total[what] += n
				}
			})
		})
		if !ok {
			return
		}
	}
	for _, what := range []string{"admitted", "stale", "conflict", "unavailable"} {
		require.Greater(t, total[what], 100, "the schedules must reach every outcome: %v", total)
	}
}

// Real goroutines, for the race detector and for interleavings that a bubble does not produce.
func TestMemoryHistoriesInParallel(t *testing.T) {
	m, a := newMemory(t, time.Minute), newAuditor()
	var clients sync.WaitGroup
	for n := range uint64(16) {
		rng := rand.New(rand.NewPCG(1, n))
		clients.Go(func() {
			hammer(t, m, a, rng, 500, func(rng *rand.Rand) {
				for range rng.IntN(4) {
					runtime.Gosched()
				}
			})
		})
	}
	clients.Wait()
	a.verdict(t, m)
	require.Zero(t, a.counts["unavailable"])
}
