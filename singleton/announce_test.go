package singleton_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
)

// scripted is a guard that counts its announcements; then, if not nil, decides.
type scripted struct {
	*fencing.Memory
	asked  atomic.Int32
	script atomic.Pointer[func(ctx context.Context, t fencing.Token) error]
}

func (s *scripted) Announce(ctx context.Context, t fencing.Token) error {
	s.asked.Add(1)
	if script := s.script.Load(); script != nil {
		return (*script)(ctx, t)
	}
	return s.Memory.Announce(ctx, t)
}

func (s *scripted) then(script func(ctx context.Context, t fencing.Token) error) {
	if script == nil {
		s.script.Store(nil)
		return
	}
	s.script.Store(&script)
}

func period(d time.Duration) func(*singleton.Config) {
	return func(c *singleton.Config) { c.Fencing.AnnouncePeriod = d }
}

// above returns the token of another term.
func above(epoch int64) fencing.Token {
	return fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: epoch, Term: "0123456789abcdef0123456789abcdef"}
}

func TestGuardsAreToldAgain(t *testing.T) {
	for name, c := range map[string]struct{ config, want time.Duration }{
		"default": {0, 15 * second}, "configured": {4 * second, 4 * second},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				guard := &scripted{Memory: memory(l)}
				a := l.elector("a", fenced(period(c.config), guard))
				r := l.run(a, idle)
				for n := range int32(10) {
					require.Equal(l, 1+n, guard.asked.Load())
					sleep(c.want - 1)
					require.Equal(l, 1+n, guard.asked.Load())
					sleep(1)
				}
				r.stop()
				require.NoError(l, r.wait(l))
				told := guard.asked.Load()
				sleep(time.Minute)
				require.Equal(l, told, guard.asked.Load(), "not once the term is over")
			})
		})
	}
}

// A guard that was restarted without its mark, or from an old copy, admits an
// old token only until it hears of the current term again.
func TestGuardThatWentBackIsToldAgain(t *testing.T) {
	inLab(t, func(l lab) {
		guard := &scripted{Memory: memory(l)}
		a, b := l.elector("a", fenced(nil, guard)), l.elector("b", fenced(nil, guard))
		l.run(a, idle)
		l.run(b, idle)
		old := a.Status().Token
		a.Resign()
		synctest.Wait()
		require.Equal(l, singleton.StateActive, b.Status().State)
		require.ErrorIs(l, guard.Check(l.Context(), old), fencing.ErrStale)

		guard.Memory = memory(l)
		require.NoError(l, guard.Announce(l.Context(), old), "it knows nothing yet")
		sleep(15 * second)
		require.ErrorIs(l, guard.Check(l.Context(), old), fencing.ErrStale)
		mark, err := guard.Mark(l.Context(), fencing.Scope("shop", "invoicer"))
		require.NoError(l, err)
		require.Equal(l, b.Status().Token, mark)
		require.Equal(l, singleton.StateActive, b.Status().State)
	})
}

func TestGuardsAreToldAfterAReconnect(t *testing.T) {
	inLab(t, func(l lab) {
		guard := &scripted{Memory: memory(l)}
		a := l.elector("a", fenced(period(time.Hour), guard))
		l.run(a, idle)
		sleep(time.Minute)
		require.EqualValues(l, 1, guard.asked.Load())
		for n := range int32(3) {
			l.Link("a").BlackHole()
			sleep(6 * second)
			require.Equal(l, 1+n, guard.asked.Load())
			l.Link("a").Heal()
			sleep(3 * second)
			require.Equal(l, singleton.StateActive, a.Status().State)
			require.Equal(l, 2+n, guard.asked.Load(), "once")
			sleep(time.Minute)
		}
	})
}

// A guard that hangs, fails or is cut off costs a running term nothing.
func TestGuardThatFailsLater(t *testing.T) {
	for name, fail := range map[string]func(ctx context.Context, t fencing.Token) error{
		"unavailable": func(context.Context, fencing.Token) error { return fencing.ErrUnavailable },
		"other error": func(context.Context, fencing.Token) error { return errors.New("no route to host") },
		"hanging": func(ctx context.Context, _ fencing.Token) error {
			<-ctx.Done()
			return context.Cause(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				log := &lines{}
				guard := &scripted{Memory: memory(l)}
				a := l.elector("a", fenced(func(c *singleton.Config) { c.Logger = log.logger() }, guard))
				r := l.run(a, idle)
				token := a.Status().Token
				sleep(second)
				guard.then(fail)
				for range 300 {
					sleep(second)
					require.Greater(l, a.Status().ValidFor, 7*second, "renewed as ever")
				}
				require.Equal(l, token, a.Status().Token)
				require.InDelta(l, 300/15, guard.asked.Load(), 9, "one at a time, each bounded")
				require.InDelta(l, 5, log.count("cannot announce the token"), 1, "when it begins, and now and then")
				guard.then(nil)
				sleep(30 * second)
				require.Equal(l, 1, log.count("announced the token to all guards again"))
				guard.then(fail)
				sleep(16 * second)
				r.stop()
				require.NoError(l, r.wait(l), "hanging does not keep Run")
			})
		})
	}
}

// During the work, a guard holds a mark above ours although the Lease is ours.
func TestGuardThatRefusesLater(t *testing.T) {
	for name, mark := range map[string]func(own fencing.Token) fencing.Token{
		"stale":    func(fencing.Token) fencing.Token { return above(500) },
		"conflict": func(own fencing.Token) fencing.Token { return above(own.Epoch) },
	} {
		refuse := func(guard *scripted, mark fencing.Token) {
			guard.then(func(ctx context.Context, t fencing.Token) error {
				if current, _ := guard.Mark(ctx, t.Scope); current != mark && current.Epoch <= mark.Epoch {
					guard.Memory, _ = fencing.NewMemory(fencing.MemoryConfig{})
					_ = guard.Memory.Announce(ctx, mark)
				}
				return guard.Memory.Announce(ctx, t)
			})
		}
		t.Run(name+" ends the term", func(t *testing.T) {
			inLab(t, func(l lab) {
				guard := &scripted{Memory: memory(l)}
				a := l.elector("a", fenced(nil, guard))
				var cause error
				r := l.run(a, func(ctx context.Context, _ *singleton.Term) error {
					<-ctx.Done()
					cause = context.Cause(ctx)
					return nil
				})
				refuse(guard, mark(a.Status().Token))
				sleep(15 * second)
				require.Equal(l, singleton.StateStandby, a.Status().State)
				require.True(l, l.record().Released())
				var end *singleton.EndError
				require.ErrorAs(l, cause, &end)
				require.Equal(l, singleton.ReasonRefused, end.Reason)
				require.True(l, errors.Is(cause, fencing.ErrStale) || errors.Is(cause, fencing.ErrConflict))
				require.EqualValues(l, 1, metric(l, a, "hotseat_terms_total", "reason", "refused"))
				sleep(3999 * time.Millisecond)
				require.Equal(l, singleton.StateStandby, a.Status().State, "stands back")
				r.stop()
				require.NoError(l, r.wait(l))
			})
		})
		t.Run(name+" is raised above", func(t *testing.T) {
			inLab(t, func(l lab) {
				guard := &scripted{Memory: memory(l)}
				a := l.elector("a", fenced(func(c *singleton.Config) { c.Fencing.MaxRaise = 1000 }, guard))
				l.run(a, idle)
				before := a.Status().Token
				m := mark(before)
				refuse(guard, m)
				sleep(15 * second)
				after := a.Status().Token
				require.Equal(l, m.Epoch+1, after.Epoch)
				require.Equal(l, before.Term, after.Term, "one term")
				held, err := guard.Mark(l.Context(), after.Scope)
				require.NoError(l, err)
				require.Equal(l, after, held)
				sleep(time.Minute)
				require.Equal(l, after, a.Status().Token)
			})
		})
	}
}

// The work raises the epoch while the old token is on its way to the guard, and
// is there first.
func TestRaiseOvertakesAnAnnouncement(t *testing.T) {
	inLab(t, func(l lab) {
		guard := &scripted{Memory: memory(l)}
		var term *singleton.Term
		a := l.elector("a", fenced(func(c *singleton.Config) { c.Fencing.MaxRaise = 1000 }, guard))
		l.run(a, func(ctx context.Context, t *singleton.Term) error { term = t; <-ctx.Done(); return nil })
		old := term.Token()
		guard.then(func(ctx context.Context, t fencing.Token) error {
			if t == old {
				time.Sleep(second)
			}
			return guard.Memory.Announce(ctx, t)
		})
		sleep(15 * second)
		require.NoError(l, term.Raise(l.Context(), 700))
		sleep(5 * second)
		require.EqualValues(l, 701, term.Token().Epoch)
		require.True(l, term.Valid())
		require.Zero(l, metric(l, a, "hotseat_terms_total", "reason", "refused"))
	})
}

func TestGuardThatPanicsLater(t *testing.T) {
	inLab(t, func(l lab) {
		guard := &scripted{Memory: memory(l)}
		a := l.elector("a", fenced(nil, guard))
		r := l.run(a, idle)
		guard.then(func(context.Context, fencing.Token) error { panic("guard") })
		sleep(15 * second)
		<-r.done
		panicked, ok := r.panicked.(*singleton.PanicError)
		require.True(l, ok)
		require.Equal(l, "guard", panicked.Value)
		require.True(l, l.record().Released())
	})
}

func TestStaleRefusalEndsTheTerm(t *testing.T) {
	elsewhere := func(t fencing.Token) fencing.Token { t.Scope = "shop/mailer"; return t }
	for name, c := range map[string]struct {
		refused func(own fencing.Token) error
		ends    bool
	}{
		"stale": {func(own fencing.Token) error { return &fencing.StaleError{Presented: own, Mark: above(500)} }, true},
		"conflict": {func(own fencing.Token) error {
			return &fencing.ConflictError{Presented: own, Mark: above(own.Epoch)}
		}, true},
		"of another scope": {func(own fencing.Token) error {
			return &fencing.StaleError{Presented: elsewhere(own), Mark: elsewhere(above(500))}
		}, false},
		"of another term": {func(own fencing.Token) error {
			return &fencing.StaleError{Presented: above(own.Epoch - 1), Mark: own}
		}, false},
		"of another term, newer": {func(fencing.Token) error {
			return &fencing.StaleError{Presented: above(400), Mark: above(500)}
		}, false},
		"before a raise": {func(own fencing.Token) error {
			earlier := own
			earlier.Epoch--
			return &fencing.StaleError{Presented: earlier, Mark: own}
		}, false},
		"without tokens": {func(fencing.Token) error { return fencing.ErrStale }, false},
		"unavailable":    {func(fencing.Token) error { return fencing.ErrUnavailable }, false},
	} {
		for _, on := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				inLab(t, func(l lab) {
					a := l.elector("a", func(c *singleton.Config) { c.Fencing.KeepOnStale = !on })
					var cause, want error
					l.run(a, func(ctx context.Context, term *singleton.Term) error {
						child, cancel := context.WithTimeout(ctx, time.Hour)
						defer cancel()
						want = c.refused(term.Token())
						assert.Equal(l, want, fencing.Report(child, want))
						cause = context.Cause(ctx)
						sleep(5 * second)
						assert.True(l, term.Valid(), "the Lease is kept until work returns")
						<-ctx.Done()
						return nil
					})
					sleep(6 * second)
					if !on || !c.ends {
						require.NoError(l, cause)
						require.Equal(l, singleton.StateActive, a.Status().State)
						return
					}
					require.ErrorIs(l, cause, want, "at once")
					require.NotErrorIs(l, cause, singleton.ErrLost)
					require.ErrorContains(l, cause, "refused: ")
					require.True(l, l.record().Released())
					require.EqualValues(l, 1, metric(l, a, "hotseat_terms_total", "reason", "refused"))
					require.Equal(l, singleton.StateStandby, a.Status().State, "stands back")
				})
			})
		}
	}
}

// A guard in this process reports by itself: of a check, and of work in flight.
func TestStaleRefusalEndsTheTermOfMemory(t *testing.T) {
	for name, write := range map[string]func(ctx context.Context, guard *fencing.Memory) error{
		"check": func(ctx context.Context, guard *fencing.Memory) error {
			token, _ := fencing.FromContext(ctx)
			_ = guard.Announce(context.Background(), above(500))
			return guard.Check(ctx, token)
		},
		"in flight": func(ctx context.Context, guard *fencing.Memory) error {
			token, _ := fencing.FromContext(ctx)
			work, leave, err := guard.Enter(ctx, token)
			if err != nil {
				return err
			}
			context.AfterFunc(work, leave)
			return errors.Join(guard.Announce(context.Background(), above(500)), context.Cause(work))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				a := l.elector("a", fenced(func(*singleton.Config) {}))
				guard := memory(l)
				var refused, cause error
				l.run(a, func(ctx context.Context, _ *singleton.Term) error {
					refused = write(ctx, guard)
					cause = context.Cause(ctx)
					return nil
				})
				require.ErrorIs(l, refused, fencing.ErrStale)
				require.ErrorIs(l, cause, fencing.ErrStale)
				require.EqualValues(l, 1, metric(l, a, "hotseat_terms_total", "reason", "refused"))
			})
		})
	}
}
