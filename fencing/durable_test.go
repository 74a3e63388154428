package fencing_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// shelf is a Store in memory. Its faults are asked for before a swap: one that is not nil is answered, after the swap if
// late says so.
type shelf struct {
	mu      sync.Mutex
	marks   map[string]fencing.Token
	version int
	loads   int
	load    func(scope string) (fencing.Token, error) // instead
	swap    func(next fencing.Token) error            // before
	late    bool
}

func newShelf() *shelf { return &shelf{marks: map[string]fencing.Token{}} }

func (s *shelf) Load(_ context.Context, scope string) (fencing.Token, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads++
	if s.load != nil {
		mark, err := s.load(scope)
		return mark, "", err
	}
	return s.marks[scope], strconv.Itoa(s.version), nil
}

func (s *shelf) CompareAndSwap(_ context.Context, version string, next fencing.Token) (bool, error) {
	var err error
	if s.swap != nil {
		err = s.swap(next)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && !s.late {
		return false, err
	}
	if version != strconv.Itoa(s.version) {
		return false, err
	}
	s.put(next)
	return err == nil, err
}

func (s *shelf) fail(load func(string) (fencing.Token, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load = load
}

func (s *shelf) put(mark fencing.Token) {
	s.version++
	s.marks[mark.Scope] = mark
}

func newDurable(t testing.TB, store fencing.Store) *fencing.Durable {
	t.Helper()
	d, err := fencing.NewDurable(store, fencing.MemoryConfig{Drain: time.Minute})
	require.NoError(t, err)
	return d
}

func mark(t testing.TB, g fencing.Guard) fencing.Token {
	t.Helper()
	mark, err := g.Mark(t.Context(), "shop/invoicer")
	require.NoError(t, err)
	return mark
}

func TestGuardsOfThisPackage(t *testing.T) {
	t.Parallel()
	for name, guard := range map[string]func(testing.TB) fencing.Tracker{
		"Memory": func(t testing.TB) fencing.Tracker { return newMemory(t, time.Minute) },
		"Durable": func(t testing.TB) fencing.Tracker {
			store := newShelf() // one write in eight is not answered, some of them land
			store.swap = func(fencing.Token) error {
				if rand.IntN(8) > 0 {
					return nil
				}
				return errors.New("no answer")
			}
			store.late = rand.IntN(2) == 0
			return persistent{newDurable(t, store)}
		},
	} {
		suite := guardtest.Suite{AnyScope: true, New: func(t testing.TB) guardtest.Subject { return guardtest.NewRegister(guard(t)) }}
		for kind, test := range map[string]func(*testing.T){
			"Conformance":  suite.Conformance,
			"Linearizable": func(t *testing.T) { suite.Linearizable(t, guardtest.Load{}) },
			"Hammer":       func(t *testing.T) { suite.Hammer(t, time.Second) },
		} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				test(t)
			})
		}
	}
}

// persistent tries again as a caller does, so that a suite that expects answers gets them.
type persistent struct{ *fencing.Durable }

func (p persistent) again(f func() error) error {
	for {
		if err := f(); !errors.Is(err, fencing.ErrUnavailable) {
			return err
		}
	}
}

func (p persistent) Announce(ctx context.Context, t fencing.Token) error {
	return p.again(func() error { return p.Durable.Announce(ctx, t) })
}

func (p persistent) Check(ctx context.Context, t fencing.Token) error {
	return p.again(func() error { return p.Durable.Check(ctx, t) })
}

func (p persistent) Enter(ctx context.Context, t fencing.Token) (context.Context, func(), error) {
	var work context.Context
	var leave func()
	err := p.again(func() (err error) {
		work, leave, err = p.Durable.Enter(ctx, t) //nolint:fatcontext // made of ctx each time
		return err
	})
	return work, leave, err
}

func TestNewDurableRefuses(t *testing.T) {
	_, err := fencing.NewDurable(nil, fencing.MemoryConfig{})
	require.ErrorContains(t, err, "Store is nil")
	_, err = fencing.NewDurable(newShelf(), fencing.MemoryConfig{Drain: -1})
	require.ErrorContains(t, err, "Drain is -1ns")
}

func TestDurableOutlivesItsProcess(t *testing.T) {
	store := newShelf()
	require.NoError(t, newDurable(t, store).Announce(t.Context(), token(7)))
	next := newDurable(t, store)
	require.Equal(t, token(7), mark(t, next))
	for _, g := range []*fencing.Durable{next, newDurable(t, store)} {
		require.ErrorIs(t, g.Check(t.Context(), token(6)), fencing.ErrStale)
		require.ErrorIs(t, g.Check(t.Context(), rival(7)), fencing.ErrConflict)
		require.NoError(t, g.Check(t.Context(), token(7)))
	}
	require.Equal(t, 3, store.version, "each process that did not store the mark itself stores it again, once")
	require.NoError(t, next.Check(t.Context(), token(7)))
	require.NoError(t, next.Announce(t.Context(), token(7)))
	require.Equal(t, 3, store.version)
}

// Whoever is admitted finds the mark stored: on the way there nothing runs with a token that a crash could forget.
func TestDurableStoresBeforeItAdmits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		g := newDurable(t, store)
		work, leave, err := g.Enter(t.Context(), token(1))
		require.NoError(t, err)

		stored := make(chan struct{})
		store.swap = func(fencing.Token) error { <-stored; return nil }
		newer := ask(func() error { return g.Announce(t.Context(), token(2)) })
		time.Sleep(time.Second)
		require.NoError(t, work.Err(), "nothing is decided yet")
		require.NoError(t, g.Check(t.Context(), token(1)))
		close(stored)
		synctest.Wait()
		require.ErrorIs(t, context.Cause(work), fencing.ErrStale)
		require.Equal(t, token(2), store.marks["shop/invoicer"])
		time.Sleep(time.Second)
		require.Empty(t, newer, "older work is in flight")
		require.ErrorIs(t, g.Check(t.Context(), token(1)), fencing.ErrStale)
		leave()
		require.Equal(t, answer{nil, 2 * time.Second}, <-newer)
	})
}

func TestDurableDoesNotAdmitWithoutAnAnswer(t *testing.T) {
	lost := errors.New("connection reset")
	for name, late := range map[string]bool{"nothing happened": false, "it happened": true} {
		t.Run(name, func(t *testing.T) {
			store := newShelf()
			g := newDurable(t, store)
			require.NoError(t, g.Announce(t.Context(), token(1)))
			store.late, store.swap = late, func(fencing.Token) error { return lost }
			for door, present := range trackerDoors {
				err := present(t.Context(), g, token(2))
				if late && err == nil {
					require.Equal(t, token(2), store.marks["shop/invoicer"], door)
					continue // an earlier door's write is found to have happened
				}
				require.ErrorIs(t, err, fencing.ErrUnavailable, door)
				require.ErrorIs(t, err, lost, door)
			}
			if !late {
				require.Equal(t, token(1), mark(t, g))
				require.NoError(t, g.Check(t.Context(), token(1)), "the older term goes on")
			}
			store.swap = nil
			require.NoError(t, g.Announce(t.Context(), token(2)))
			require.Equal(t, token(2), mark(t, newDurable(t, store)))
		})
	}
}

// trackerDoors are the three ways to present a token.
var trackerDoors = map[string]func(context.Context, fencing.Tracker, fencing.Token) error{
	"Announce": func(ctx context.Context, g fencing.Tracker, t fencing.Token) error { return g.Announce(ctx, t) },
	"Check":    func(ctx context.Context, g fencing.Tracker, t fencing.Token) error { return g.Check(ctx, t) },
	"Enter": func(ctx context.Context, g fencing.Tracker, t fencing.Token) error {
		_, leave, err := g.Enter(ctx, t)
		if err == nil {
			leave()
		}
		return err
	},
}

// Another process announces a newer token to the same store.
func TestDurableSeesOtherProcesses(t *testing.T) {
	for door, present := range trackerDoors {
		t.Run(door, func(t *testing.T) {
			store := newShelf()
			here, there := newDurable(t, store), newDurable(t, store)
			work, leave, err := here.Enter(t.Context(), token(1))
			require.NoError(t, err)
			defer leave()
			require.NoError(t, there.Announce(t.Context(), token(3)))

			err = present(t.Context(), here, token(2))
			var stale *fencing.StaleError
			require.ErrorAs(t, err, &stale)
			require.Equal(t, fencing.StaleError{Presented: token(2), Mark: token(3)}, *stale)
			require.ErrorIs(t, context.Cause(work), fencing.ErrStale, "ended as soon as it is known")
			require.Equal(t, token(3), mark(t, here))
			require.ErrorIs(t, present(t.Context(), here, rival(3)), fencing.ErrConflict)
			leave()
			require.NoError(t, present(t.Context(), here, token(4)))
			require.ErrorIs(t, present(t.Context(), there, token(3)), fencing.ErrStale)
		})
	}
}

// A swap that is lost to another process is decided anew, by what that one stored.
func TestDurableLosesARace(t *testing.T) {
	for won, want := range map[fencing.Token]error{
		token(1): nil, token(2): nil, token(3): fencing.ErrStale, rival(2): fencing.ErrConflict,
	} {
		t.Run(won.String(), func(t *testing.T) {
			store := newShelf()
			g, other := newDurable(t, store), newDurable(t, store)
			store.swap = func(fencing.Token) error {
				store.swap = nil
				return other.Announce(t.Context(), won)
			}
			require.ErrorIs(t, g.Announce(t.Context(), token(2)), want)
			if want != nil {
				require.Equal(t, won, mark(t, g))
			} else {
				require.Equal(t, token(2), mark(t, g))
			}
		})
	}
}

// A store that is restored from an old copy under a running guard: the guard knows better.
func TestDurableStoreGoesBack(t *testing.T) {
	store := newShelf()
	g := newDurable(t, store)
	require.NoError(t, g.Announce(t.Context(), token(9)))
	for _, old := range []map[string]fencing.Token{{"shop/invoicer": token(5)}, {}} {
		store.marks, store.version = old, store.version+1
		require.Equal(t, token(9), mark(t, g))
		for _, tok := range []fencing.Token{token(5), token(7)} {
			require.ErrorIs(t, g.Check(t.Context(), tok), fencing.ErrStale)
		}
		require.ErrorIs(t, g.Check(t.Context(), rival(9)), fencing.ErrConflict)
		require.Equal(t, old["shop/invoicer"], store.marks["shop/invoicer"], "what is refused is not stored")
		require.NoError(t, g.Announce(t.Context(), token(9)))
		require.Equal(t, token(9), store.marks["shop/invoicer"], "announced again, stored again")
	}
	store.put(rival(9))
	require.ErrorIs(t, g.Check(t.Context(), token(9)), fencing.ErrConflict, "neither of two terms")
	require.ErrorIs(t, g.Check(t.Context(), rival(9)), fencing.ErrConflict)
	require.NoError(t, g.Check(t.Context(), token(10)))
}

func TestDurableFailsClosed(t *testing.T) {
	elsewhere := token(9)
	elsewhere.Scope = "shop/mailer"
	broken := errors.New("disk on fire")
	for name, load := range map[string]func(string) (fencing.Token, error){
		"error":       func(string) (fencing.Token, error) { return fencing.Token{}, broken },
		"other scope": func(string) (fencing.Token, error) { return elsewhere, nil },
		"no term":     func(s string) (fencing.Token, error) { return fencing.Token{Scope: s, Epoch: 9}, nil },
		"epoch zero":  func(string) (fencing.Token, error) { return token(0), nil },
		"negative":    func(string) (fencing.Token, error) { return token(-9), nil },
	} {
		t.Run(name, func(t *testing.T) {
			store := newShelf()
			g := newDurable(t, store)
			require.NoError(t, g.Announce(t.Context(), token(1)))
			store.load = load
			for door, present := range trackerDoors {
				for _, tok := range []fencing.Token{token(1), token(2), token(10)} {
					require.ErrorIs(t, present(t.Context(), g, tok), fencing.ErrUnavailable, door)
				}
			}
			_, err := g.Mark(t.Context(), "shop/invoicer")
			require.ErrorIs(t, err, fencing.ErrUnavailable)
			require.Equal(t, 1, store.version, "nothing is written over it")
			store.load = nil
			require.NoError(t, g.Check(t.Context(), token(1)))
		})
	}
}

// A store that neither swaps nor shows why must not keep the caller for ever.
func TestDurableStoreThatNeverSwaps(t *testing.T) {
	err := newDurable(t, stuck{}).Announce(t.Context(), token(1))
	require.ErrorIs(t, err, fencing.ErrUnavailable)
	require.ErrorContains(t, err, `did not swap version "v"`)
}

type stuck struct{}

func (stuck) Load(context.Context, string) (fencing.Token, string, error) {
	return fencing.Token{}, "v", nil
}

func (stuck) CompareAndSwap(context.Context, string, fencing.Token) (bool, error) { return false, nil }

// Values that no term can have do not reach the store, and what is known to be stale does not either.
func TestDurableAsksTheStoreLast(t *testing.T) {
	store := newShelf()
	g := newDurable(t, store)
	require.NoError(t, g.Announce(t.Context(), token(7)))
	loads := store.loads
	for _, tok := range []fencing.Token{{}, token(0), token(-1), {Scope: "a b", Epoch: 9, Term: termA}, token(6), rival(7)} {
		for door, present := range trackerDoors {
			require.Error(t, present(t.Context(), g, tok), door)
		}
	}
	_, err := g.Mark(t.Context(), "a b")
	require.ErrorIs(t, err, fencing.ErrMalformed)
	require.Equal(t, loads, store.loads)
	require.NoError(t, g.Check(fencing.AllowUnfenced(t.Context(), "test"), fencing.Token{}))
	require.Equal(t, loads, store.loads)
}
