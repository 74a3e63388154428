package singleton_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/scenario"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

func TestOneOnLosePerOnAcquireInOrder(t *testing.T) {
	inLab(t, func(l lab) {
		var story []string // told by hooks only: they run one at a time
		var terms, working atomic.Int32
		e := l.elector("a", func(c *singleton.Config) {
			c.Hooks = singleton.Hooks{
				OnAcquire: func(ctx context.Context, term *singleton.Term) {
					if err := ctx.Err(); err != nil {
						l.Error(err)
					}
					assert.True(l, term.Valid())
					assert.Zero(l, working.Load(), "work waits for it")
					story = append(story, "acquire")
				},
				OnLose: func(term *singleton.Term, cause error) {
					assert.False(l, term.Valid())
					assert.Zero(l, working.Load(), "work has returned")
					var end *singleton.EndError
					if assert.ErrorAs(l, cause, &end) {
						story = append(story, "lose: "+string(end.Reason))
					}
				},
				OnHolder: func(h singleton.Holder) {
					if h.Self || h.Identity == "x" {
						story = append(story, fmt.Sprintf("holder: %.1s", h.Identity))
					}
				},
			}
		})
		r := l.run(e, func(ctx context.Context, _ *singleton.Term) error {
			terms.Add(1)
			working.Add(1)
			<-ctx.Done()
			working.Add(-1)
			return nil
		})
		e.Resign()
		sleep(10 * second)
		l.edit(func(x *coordv1.Lease) { other := "x"; x.Spec.HolderIdentity = &other })
		sleep(20 * second)
		l.Link("a").BlackHole()
		sleep(20 * second)
		l.Link("a").Heal()
		sleep(20 * second)
		l.DeleteLease("shop", "invoicer")
		sleep(20 * second)
		l.edit(func(x *coordv1.Lease) { x.Annotations[lease.AnnotationEpoch] = "5000" })
		sleep(20 * second)
		r.stop()
		require.NoError(l, r.wait(l))
		require.Equal(l, []string{
			"holder: a", "acquire", "lose: resigned",
			"holder: a", "acquire", "holder: x", "lose: taken",
			"holder: a", "acquire", "lose: expired",
			"holder: a", "acquire", "lose: deleted",
			"holder: a", "acquire", "holder: a", "lose: fenced", // the raised epoch was seen
			"holder: a", "acquire", "lose: shutdown",
		}, story)
		require.EqualValues(l, 6, terms.Load())
	})
}

// A random tenth of all requests fail in some way for an hour.
func TestHooksPairUpUnderFaults(t *testing.T) {
	t.Parallel()
	inLab(t, func(l lab) {
		type pair struct{ acquired, lost, working int }
		counts := map[string]*pair{}
		for _, name := range []string{"a", "b", "c"} {
			p := &pair{}
			counts[name] = p
			e := l.elector(name, func(c *singleton.Config) {
				c.Hooks.OnAcquire = func(context.Context, *singleton.Term) {
					assert.Equal(l, p.lost, p.acquired)
					p.acquired++
				}
				c.Hooks.OnLose = func(*singleton.Term, error) {
					assert.Zero(l, p.working)
					p.lost++
					assert.Equal(l, p.lost, p.acquired)
				}
			})
			l.run(e, func(ctx context.Context, _ *singleton.Term) error {
				p.working++
				<-ctx.Done()
				p.working--
				return errors.New("stopped")
			})
		}
		for i := range 200 {
			link := l.Link([]string{"a", "b", "c"}[i%3])
			switch i % 5 {
			case 0:
				link.Cut()
			case 1:
				link.BlackHole()
			case 2:
				l.DeleteLease("shop", "invoicer")
			case 3:
				link.Inject(apiserver.Fault{Count: 3, LoseAnswer: true})
			}
			sleep(time.Duration(i%23) * second)
			link.Heal()
		}
		sleep(time.Minute)
		acquired, lost := 0, 0
		for _, p := range counts {
			acquired += p.acquired
			lost += p.lost
		}
		require.Greater(l, acquired, 20)
		require.Equal(l, acquired, lost+1, "one is active")
	})
}

func TestBlockedHooksDelayNoDeadline(t *testing.T) {
	block := make(chan struct{})
	for name, hooks := range map[string]singleton.Hooks{
		"OnAcquire": {OnAcquire: func(context.Context, *singleton.Term) { <-block }},
		"OnHolder":  {OnHolder: func(singleton.Holder) { <-block }},
		"OnLose":    {OnLose: func(*singleton.Term, error) { <-block }},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				block = make(chan struct{})
				var ended time.Time
				var terms []*singleton.Term
				e := l.elector("a", func(c *singleton.Config) {
					c.Hooks = hooks
					if hooks.OnAcquire == nil {
						c.Hooks.OnAcquire = func(_ context.Context, term *singleton.Term) { terms = append(terms, term) }
					}
				})
				b := l.elector("b")
				l.run(e, func(ctx context.Context, _ *singleton.Term) error { <-ctx.Done(); ended = time.Now(); return nil })
				sleep(time.Minute)
				require.Equal(l, e.Identity(), l.record().Holder(), "it renews all the while")
				require.Positive(l, e.Status().ValidFor)
				l.run(b, idle)
				l.Link("a").BlackHole()
				cut := time.Now()
				sleep(16 * second)
				synctest.Wait()
				require.Zero(l, e.Status().ValidFor)
				require.Equal(l, singleton.StateActive, b.Status().State)
				if !ended.IsZero() {
					require.LessOrEqual(l, ended.Sub(cut), 10*second)
				}
				l.Link("a").Heal()
				close(block)
			})
		})
	}
}

func TestPanickingHooksGiveTheTermUp(t *testing.T) {
	for name, hooks := range map[string]singleton.Hooks{
		"OnAcquire":  {OnAcquire: func(context.Context, *singleton.Term) { panic("hook") }},
		"OnHolder":   {OnHolder: func(h singleton.Holder) { panicIf(h.Self) }},
		"OnLose":     {OnLose: func(*singleton.Term, error) { panic("hook") }},
		"Goexit":     {OnAcquire: func(context.Context, *singleton.Term) { runtime.Goexit() }},
		"in standby": {OnHolder: func(h singleton.Holder) { panicIf(h.Identity == "x") }},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				e := l.elector("a", func(c *singleton.Config) { c.Hooks = hooks })
				if name == "in standby" {
					l.edit(func(x *coordv1.Lease) { other := "x"; x.Spec.HolderIdentity = &other })
				}
				worked := false
				r := l.run(e, func(ctx context.Context, _ *singleton.Term) error { worked = true; <-ctx.Done(); return nil })
				if name == "OnLose" {
					e.Resign()
				}
				<-r.done
				require.IsType(l, &singleton.PanicError{}, r.panicked)
				require.NotEqual(l, e.Identity(), l.record().Holder())
				if hooks.OnAcquire != nil {
					require.False(l, worked, "work does not start after its OnAcquire panicked")
				}
			})
		})
	}
}

func panicIf(b bool) {
	if b {
		panic("hook")
	}
}

// ExitOnOverrun ends a process, so a child plays it.
func TestExitOnOverrun(t *testing.T) {
	if os.Getenv("HOTSEAT_TEST_OVERRUN") != "" {
		singleton.ExitOnOverrun(nil)
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^TestExitOnOverrun$")
	child.Env = append(os.Environ(), "HOTSEAT_TEST_OVERRUN=1")
	var exit *exec.ExitError
	require.ErrorAs(t, child.Run(), &exit)
	require.Equal(t, 3, exit.ExitCode())
}

// Hundreds of terms leave no goroutine behind: the bubble would not end.
func TestManyTermsLeakNothing(t *testing.T) {
	whole.Only(t)
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		trio(t, s)
		before := runtime.NumGoroutine()
		for range 200 {
			scenario.SetHolder(s, "x")
			scenario.Edit(s, func(l *coordv1.Lease) { l.Annotations = nil })
			sleep(bound)
			require.Len(t, working(s), 1)
		}
		require.Len(t, s.Terms(), 201)
		require.InDelta(t, before, runtime.NumGoroutine(), 20)
	})
}
