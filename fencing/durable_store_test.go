package fencing_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/fencingtest"
)

// What a store shows may be what it has not kept yet: a swap whose answer was lost, of this process or of another. It is not
// admitted by before something was stored behind it.
func TestDurableDoesNotAdmitByWhatIsOnlyVisible(t *testing.T) {
	hangs := errors.New("the standby does not answer")
	for who, retry := range map[string]func(t *testing.T, store *shelf, tried *fencing.Durable) *fencing.Durable{
		"this process":    func(_ *testing.T, _ *shelf, tried *fencing.Durable) *fencing.Durable { return tried },
		"another process": func(t *testing.T, store *shelf, _ *fencing.Durable) *fencing.Durable { return newDurable(t, store) },
	} {
		for door, present := range trackerDoors {
			t.Run(who+"/"+door, func(t *testing.T) {
				store := newShelf()
				g := newDurable(t, store)
				require.NoError(t, g.Announce(t.Context(), token(41)))
				store.late, store.swap = true, func(fencing.Token) error { return hangs }
				require.ErrorIs(t, present(t.Context(), g, token(42)), fencing.ErrUnavailable)
				require.Equal(t, token(42), store.marks["shop/invoicer"], "visible")

				next := retry(t, store, g)
				for range 2 {
					err := present(t.Context(), next, token(42))
					require.ErrorIs(t, err, fencing.ErrUnavailable)
					require.ErrorIs(t, err, hangs)
				}
				require.ErrorIs(t, present(t.Context(), next, token(41)), fencing.ErrStale, "a refusal rests on nothing")
				store.swap = nil
				before := store.version
				require.NoError(t, present(t.Context(), next, token(42)))
				require.Equal(t, before+1, store.version)
				require.NoError(t, present(t.Context(), next, token(42)))
				require.Equal(t, before+1, store.version, "not again")
			})
		}
	}
}

// A store that is not there to be had is no fault that passes.
func TestDurableStoreWiredWrongly(t *testing.T) {
	store := newShelf()
	g := newDurable(t, store)
	wiring := fmt.Errorf("%w: no table marks", fencing.ErrWiring)
	store.swap = func(fencing.Token) error { return wiring }
	for door, present := range trackerDoors {
		err := present(t.Context(), g, token(1))
		require.ErrorIs(t, err, fencing.ErrWiring, door)
		require.NotErrorIs(t, err, fencing.ErrUnavailable, door)
	}
	store.load = func(string) (fencing.Token, error) { return fencing.Token{}, wiring }
	_, err := g.Mark(t.Context(), "shop/invoicer")
	require.ErrorIs(t, err, fencing.ErrWiring)
	require.NotErrorIs(t, err, fencing.ErrUnavailable)
}

// The public suite, with a store that other processes reach and that is lost now and then.
func TestDurableOverItsStore(t *testing.T) {
	t.Parallel()
	var store *shelf
	fencingtest.Run(t, fencingtest.Suite{
		Open: func(t testing.TB) fencing.Guard {
			store = newShelf()
			return newDurable(t, store)
		},
		Reopen: func(t testing.TB, _ fencing.Guard) fencing.Guard { return newDurable(t, store) },
		Break: func(testing.TB, fencing.Guard) (mend func()) {
			store.fail(func(string) (fencing.Token, error) { return fencing.Token{}, errors.New("no disk") })
			return func() { store.fail(nil) }
		},
		AnyScope: true,
	})
}
