//go:build unix

package filestore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// outlive plays a machine's life: guards announce and check, the power fails before some system call, and what is left on
// the disk is judged: the mark is readable, and not below what was admitted.
func outlive(d *disk, rng *rand.Rand, boots int) error {
	admitted := int64(0)
	for range boots {
		machine := &failing{folder: d, n: rng.IntN(40), all: true, err: errDead}
		for range 2 { // processes, one after the other
			g, err := fencing.NewDurable(newStore(machine), fencing.MemoryConfig{})
			if err != nil {
				return err
			}
			for range rng.IntN(4) {
				next := token(max(1, admitted+int64(rng.IntN(3))))
				err := g.Check(context.Background(), next)
				switch {
				case err == nil:
					admitted = max(admitted, next.Epoch)
				case errors.Is(err, fencing.ErrStale), errors.Is(err, errDead), errors.Is(err, syscall.EIO): // the mark may be one whose answer was lost
				default:
					return err
				}
			}
		}
		d.fail(rng)
		mark, _, err := newStore(d).Load(context.Background(), guardtest.Scope)
		if err != nil {
			return fmt.Errorf("epoch %d was admitted, then: %w", admitted, err)
		}
		if mark.Epoch < admitted {
			return fmt.Errorf("epoch %d was admitted, the mark is %v", admitted, mark)
		}
	}
	return nil
}

func TestPowerFailures(t *testing.T) {
	for seed := range uint64(300) {
		rng, d := rand.New(rand.NewPCG(seed, 0)), newDisk()
		if seed%2 > 0 { // a sync of the folder fails now and then, and loses what it should have kept
			d.syncFails = func() bool { return rng.IntN(4) == 0 }
		}
		require.NoError(t, outlive(d, rng, 10), "seed %d", seed)
	}
}

// The test above sees the two bugs it is there for.
func TestPowerFailuresShow(t *testing.T) {
	for name, bug := range map[string]func(*disk){
		"file not synced":   func(d *disk) { d.ignoresSync = true },
		"folder not synced": func(d *disk) { d.ignoresFolderSync = true },
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(200) {
				d := newDisk()
				bug(d)
				if outlive(d, rand.New(rand.NewPCG(seed, 0)), 10) != nil {
					return
				}
			}
			t.Fatal("not seen")
		})
	}
}

// A sync of the folder that failed is not made good by one that succeeds: not for who saw it fail, nor for a process that did not.
func TestFailedFolderSyncIsNotMadeGoodByAnother(t *testing.T) {
	for name, again := range map[string]func(tried, other *Store) *Store{
		"the same process": func(tried, _ *Store) *Store { return tried },
		"another":          func(_, other *Store) *Store { return other },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk()
			fails := false
			d.syncFails = func() bool { return fails }
			tried, other := newStore(d), newStore(d)
			require.NoError(t, guardOver(t, tried).Announce(t.Context(), token(41)))
			fails = true
			require.ErrorIs(t, guardOver(t, tried).Announce(t.Context(), token(42)), syscall.EIO)
			fails = false
			mark, _, err := other.Load(t.Context(), guardtest.Scope)
			require.NoError(t, err)
			require.Equal(t, token(42), mark, "visible")
			require.NoError(t, guardOver(t, again(tried, other)).Announce(t.Context(), token(42)))
			d.fail(rand.New(rand.NewPCG(0, 0)))
			mark, _, err = newStore(d).Load(t.Context(), guardtest.Scope)
			require.NoError(t, err)
			require.Equal(t, token(42), mark, "after a power failure")
		})
	}
}

// Each system call fails once, without a crash: the call that needed it is ErrUnavailable and admits nothing that
// is not stored, the next one succeeds.
func TestEachCallFailsOnce(t *testing.T) {
	for n := 0; ; n++ {
		d := newDisk()
		faulty := &failing{folder: d, n: n, err: syscall.EIO}
		g := guardOver(t, newStore(faulty))
		failures := 0
		for epoch := range int64(3) {
			err := g.Announce(t.Context(), token(epoch+1))
			if err != nil {
				failures++
				require.ErrorIs(t, err, fencing.ErrUnavailable)
				require.ErrorIs(t, err, syscall.EIO)
				require.NoError(t, g.Announce(t.Context(), token(epoch+1)), "call %d", n)
			}
			d.fail(rand.New(rand.NewPCG(0, uint64(n))))
			mark, err := guardOver(t, newStore(d)).Mark(t.Context(), guardtest.Scope)
			require.NoError(t, err)
			require.Equal(t, token(epoch+1), mark, "call %d", n)
		}
		if n >= faulty.calls {
			require.Greater(t, n, 20, "calls were counted")
			return
		}
		require.Equal(t, 1, failures, "call %d", n)
	}
}
