package guardtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/whole"
)

// register is a register in this process behind a guard, with its bugs, if any.
type register struct {
	guard *fencing.Memory
	bug   bug

	mu     sync.Mutex
	value  string
	writes int
}

type bug int

const (
	none        bug = iota
	checksNoEnd     // checks, and lets the effect land whenever it likes
	refusesLoud     // writes, then refuses
	admitsEqual     // takes the other term with the same epoch
	losesWrites     // says yes to a write that it does not do
)

func suite(b bug, lossy bool) Suite {
	return Suite{AnyScope: true, New: func(t testing.TB) Subject {
		guard, err := fencing.NewMemory(fencing.MemoryConfig{Drain: time.Minute})
		require.NoError(t, err)
		return &subject{register: &register{guard: guard, bug: b}, lossy: lossy}
	}}
}

type subject struct {
	register *register
	lossy    bool
}

func (s *subject) Client(t testing.TB) Client {
	if s.lossy {
		return Lossy(t, s.register)
	}
	return s.register
}

func (r *register) Announce(ctx context.Context, t fencing.Token) error {
	return r.guard.Announce(ctx, t)
}
func (r *register) Check(ctx context.Context, t fencing.Token) error { return r.guard.Check(ctx, t) }

func (r *register) Mark(ctx context.Context, scope string) (fencing.Token, error) {
	return r.guard.Mark(ctx, scope)
}

func (r *register) Write(ctx context.Context, t fencing.Token, value string, between func()) error {
	if r.bug == checksNoEnd {
		if err := r.guard.Check(ctx, t); err != nil {
			return err
		}
		between()
		r.set(value)
		return nil
	}
	if mark, err := r.guard.Mark(ctx, t.Scope); r.bug == admitsEqual && err == nil && mark.Epoch == t.Epoch {
		t = mark
	}
	_, leave, err := r.guard.Enter(ctx, t)
	if err != nil {
		if r.bug == refusesLoud {
			r.set(value)
		}
		return err
	}
	defer leave()
	between()
	r.set(value)
	return nil
}

func (r *register) set(value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
	if r.bug == losesWrites && r.writes%7 == 0 {
		return
	}
	r.value = value
}

func (r *register) Read(context.Context) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value, nil
}

func TestMemory(t *testing.T) {
	t.Parallel()
	t.Run("Conformance", suite(none, false).Conformance)
	t.Run("Linearizable", func(t *testing.T) { suite(none, true).Linearizable(t, Load{Rounds: int(whole.Share(20, 5))}) })
	t.Run("Hammer", func(t *testing.T) { suite(none, false).Hammer(t, whole.Lasts(2*time.Second, 300*time.Millisecond)) })
}

// TestBugsShow: each bug is seen by the test that is there for it, from the
// clients' answers alone.
func TestBugsShow(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]bug{
		"check and effect apart": checksNoEnd, "refused and written": refusesLoud, "two terms with one epoch": admitsEqual, "lost writes": losesWrites,
	} {
		t.Run("Linearizable/"+name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(50) {
				if _, err := suite(b, false).play(t, Load{}.orDefault(), seed); err != nil {
					require.ErrorContains(t, err, "no order of")
					return
				}
			}
			t.Fatal("50 histories with the bug have an explanation")
		})
	}
	t.Run("Hammer", func(t *testing.T) {
		t.Parallel()
		_, err := suite(refusesLoud, false).hammer(t, time.Second)
		require.ErrorContains(t, err, "no order of")
	})
}
