package singleton_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

func oneTerm(c *singleton.Config) { c.OneTerm = true }

// Run returns after the first term, however it ends, and work is never called again.
func TestOneTerm(t *testing.T) {
	own := errors.New("work's own")
	for name, c := range map[string]struct {
		end      func(lab, *singleton.Elector, *running)
		work     singleton.Work
		reason   singleton.Reason // of the *EndError that Run returns; empty: want is returned
		want     error
		released bool
	}{
		"resigned": {
			end:    func(_ lab, e *singleton.Elector, _ *running) { e.Resign() },
			reason: singleton.ReasonResigned, released: true,
		},
		"deleted": {
			end:    func(l lab, _ *singleton.Elector, _ *running) { l.DeleteLease("shop", "invoicer") },
			reason: singleton.ReasonDeleted,
		},
		"taken": {
			end: func(l lab, _ *singleton.Elector, _ *running) {
				intruder := "intruder"
				l.edit(func(r *coordv1.Lease) { r.Spec.HolderIdentity = &intruder })
			},
			reason: singleton.ReasonTaken,
		},
		"cut off": {
			end:    func(l lab, _ *singleton.Elector, _ *running) { l.Link("a").BlackHole() },
			reason: singleton.ReasonExpired,
		},
		"stopped": {end: func(_ lab, _ *singleton.Elector, r *running) { r.stop() }, released: true},
		"returned": {
			end:  func(lab, *singleton.Elector, *running) {},
			work: func(context.Context, *singleton.Term) error { return own },
			want: own, released: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				var calls atomic.Int32
				work := c.work
				if work == nil {
					work = idle
				}
				e := l.elector("a", oneTerm)
				r := l.run(e, func(ctx context.Context, term *singleton.Term) error {
					calls.Add(1)
					return work(ctx, term)
				})
				sleep(3 * second)
				began := time.Now()
				c.end(l, e, r)
				err := r.wait(l)
				require.LessOrEqual(l, time.Since(began), 11*second, "RenewDeadline at most")
				require.EqualValues(l, 1, calls.Load())
				require.Equal(l, singleton.StateStopped, e.Status().State)
				if c.released {
					require.True(l, l.record().Released(), "before Run returned")
				}
				if c.reason == "" {
					require.Equal(l, c.want, err)
					return
				}
				var end *singleton.EndError
				require.ErrorAs(l, err, &end)
				require.Equal(l, c.reason, end.Reason)
			})
		})
	}
}

// A term that ends before its work was called is not the one: nothing has been started yet.
func TestOneTermBeginsWithWork(t *testing.T) {
	inLab(t, func(l lab) {
		guard := &scripted{Memory: memory(l)}
		guard.then(func(context.Context, fencing.Token) error { return fencing.ErrUnavailable })
		e := l.elector("a", fenced(oneTerm, guard))
		r := l.run(e, idle)
		sleep(20 * second)
		require.NotEqual(l, singleton.StateStopped, e.Status().State)
		guard.then(nil)
		sleep(10 * second)
		require.Equal(l, singleton.StateActive, e.Status().State)
		e.Resign()
		require.ErrorIs(l, r.wait(l), singleton.ErrResigned)
	})
}

// OnLose may end the process: the Lease has been released by then.
func TestOnLoseMayExit(t *testing.T) {
	inLab(t, func(l lab) {
		var told atomic.Int32
		var holder atomic.Value
		slow := func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				time.Sleep(100 * time.Millisecond)
				return next.RoundTrip(r)
			})
		}
		e := l.electorThrough("a", slow, func(c *singleton.Config) {
			c.Hooks.OnLose = func(*singleton.Term, error) {
				told.Add(1)
				assert.NotEqual(l, holder.Load(), l.record().Holder(), "another one may have it by now")
			}
		})
		holder.Store(e.Identity())
		r := l.run(e, idle)
		sleep(second)
		b := l.elector("b")
		l.run(b, idle)
		r.stop()
		require.NoError(l, r.wait(l))
		require.EqualValues(l, 1, told.Load())
		synctest.Wait()
		require.Equal(l, singleton.StateActive, b.Status().State)
	})
}

// The log tells when Run begins and by which timings, when work is waited for and for how long, and
// when the term is over: once each.
func TestALifeInTheLog(t *testing.T) {
	inLab(t, func(l lab) {
		log := &lines{}
		e := l.elector("a", func(c *singleton.Config) { c.Logger = log.logger() })
		r := l.run(e, func(ctx context.Context, _ *singleton.Term) error {
			<-ctx.Done()
			time.Sleep(3 * second)
			return nil
		})
		sleep(3 * second)
		l.Link("a").BlackHole()
		sleep(11 * second)
		require.Equal(l, 1, log.count("waiting for work to return"))
		require.Equal(l, 1, log.count(" budget=4.2"), "the stop budget, less what the watchdog took")
		require.Zero(l, log.count("term over"))
		sleep(3 * second)
		require.Equal(l, 1, log.count("term over"))
		l.Link("a").Heal()
		r.stop()
		require.NoError(l, r.wait(l))
		require.Equal(l, 1, log.count("standing for election"))
		for _, says := range []string{
			"lease_duration=15s", "renew_deadline=10s", "retry_period=2s", "max_clock_drift=0.05", "stop_budget=4.2", "identity=a_",
		} {
			require.Equal(l, 1, log.count(says), says)
		}
	})
}

// WaitActive returns when work may run, and not before; IsActive tells the same at each instant.
func TestWaitActive(t *testing.T) {
	inLab(t, func(l lab) {
		a, b := l.elector("a"), l.elector("b")
		soon, cancel := context.WithTimeout(l.Context(), second)
		defer cancel()
		_, err := a.WaitActive(soon)
		require.ErrorIs(l, err, context.DeadlineExceeded, "Run was not called")
		r := l.run(a, idle)
		l.run(b, idle)
		term, err := a.WaitActive(l.Context())
		require.NoError(l, err)
		require.Equal(l, a.Status().Token, term.Token())
		require.Same(l, a.Status().Term, term)
		require.True(l, a.IsActive())
		require.False(l, b.IsActive())
		waited := make(chan *singleton.Term, 1)
		go func() {
			term, _ := b.WaitActive(l.Context())
			waited <- term
		}()
		synctest.Wait()
		require.Empty(l, waited)
		r.stop()
		require.Greater(l, (<-waited).Token().Epoch, term.Token().Epoch)
		require.NoError(l, r.wait(l))
		require.False(l, a.IsActive())
		require.Nil(l, a.Status().Term)
		require.True(l, b.IsActive())
	})
}

// A replica says so when the Lease is another program's.
func TestAnotherProgramOnTheLease(t *testing.T) {
	for other, warned := range map[string]int{"example.com/billing": 1, "example.com/invoicer": 0} {
		t.Run(other, func(t *testing.T) {
			inLab(t, func(l lab) {
				log := &lines{}
				l.run(l.elector("a", func(c *singleton.Config) { c.Replica.Program = other }), idle)
				require.Equal(l, other, l.record().Program())
				b := l.elector("b", func(c *singleton.Config) {
					c.Replica.Program, c.Logger = "example.com/invoicer", log.logger()
				})
				l.run(b, idle)
				sleep(time.Minute)
				require.Equal(l, warned, log.count("another program holds the Lease"))
				require.Equal(l, warned, log.count("program=example.com/billing own_program=example.com/invoicer"))
			})
		})
	}
}

// A Lease that a replica creates has the labels that it was told, and one that is there keeps its
// own.
func TestLabels(t *testing.T) {
	inLab(t, func(l lab) {
		labels := map[string]string{"app.kubernetes.io/name": "invoicer"}
		e := l.elector("a", func(c *singleton.Config) { c.Labels = labels })
		labels["later"] = "no"
		l.edit(func(r *coordv1.Lease) { r.Labels = map[string]string{"own": "yes"} })
		l.run(e, idle)
		require.Equal(l, map[string]string{"own": "yes"}, l.Lease("shop", "invoicer").Labels)
		l.DeleteLease("shop", "invoicer")
		sleep(time.Minute)
		require.True(l, e.IsActive())
		made := l.Lease("shop", "invoicer")
		require.Equal(l, map[string]string{"app.kubernetes.io/name": "invoicer"}, made.Labels)
		require.NotEmpty(l, lease.NewRecord(made).Program())
	})
}

// A term that ended takes its failing renewals with it: the next one has renewed nothing "again".
func TestRenewingEndsWithTheTerm(t *testing.T) {
	inLab(t, func(l lab) {
		log := &lines{}
		l.run(l.elector("a", func(c *singleton.Config) { c.Logger = log.logger() }), idle)
		l.Link("a").Cut()
		sleep(40 * second)
		l.Link("a").Heal()
		sleep(40 * second)
		require.Equal(l, 2, log.count("msg=acquired"))
		require.Positive(l, log.count("renewal failed"))
		require.Zero(l, log.count("renewed again"))
	})
}

// A stale refusal within MaxRaise costs no term: work, or an announcement, raises the epoch.
func TestRefusalThatARaiseMends(t *testing.T) {
	inLab(t, func(l lab) {
		e := l.elector("a", func(c *singleton.Config) { c.Fencing.MaxRaise = 1000 })
		ctx, term := l.work(e)
		mark := term.Token()
		mark.Epoch += 5
		mark.Term = above(1).Term
		err := fencing.Report(ctx, &fencing.StaleError{Presented: term.Token(), Mark: mark})
		require.ErrorIs(l, err, fencing.ErrStale)
		require.NoError(l, ctx.Err())
		require.NoError(l, term.Raise(ctx, mark.Epoch))
		require.Equal(l, mark.Epoch+1, term.Token().Epoch)
		mark.Epoch += 5000
		_ = fencing.Report(ctx, &fencing.StaleError{Presented: term.Token(), Mark: mark})
		require.ErrorContains(l, context.Cause(ctx), "refused", "a raise may not lift it so far")
	})
}

// What work says is not lost beside a refusal that ended its term.
func TestWorkErrorBesideARefusal(t *testing.T) {
	for name, c := range map[string]struct {
		returns error
		told    int
	}{
		"its own":     {errors.New("disk is full"), 1},
		"the refusal": {fencing.ErrStale, 0},
		"the cause":   {context.Canceled, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				log := &lines{}
				e := l.elector("a", func(c *singleton.Config) { c.Logger = log.logger() })
				l.run(e, func(ctx context.Context, term *singleton.Term) error {
					mark := term.Token()
					mark.Epoch, mark.Term = mark.Epoch+5, above(1).Term
					_ = fencing.Report(ctx, &fencing.StaleError{Presented: term.Token(), Mark: mark})
					return c.returns
				})
				sleep(second)
				require.Equal(l, c.told, log.count("work_error"))
			})
		})
	}
}

// A loss while work drains is told when it happens, with what is left of the time.
func TestLostWhileDrainingIsTold(t *testing.T) {
	inLab(t, func(l lab) {
		log := &lines{}
		e := l.elector("a", func(c *singleton.Config) { c.Logger = log.logger() })
		l.run(e, func(ctx context.Context, _ *singleton.Term) error {
			<-ctx.Done()
			time.Sleep(6 * second)
			return nil
		})
		e.Resign()
		sleep(second)
		intruder := "intruder"
		l.edit(func(r *coordv1.Lease) { r.Spec.HolderIdentity = &intruder })
		require.Equal(l, 1, log.count("the term was lost while work drains"))
		require.Equal(l, 1, log.count("waiting for work to return"))
		sleep(10 * second)
		require.Equal(l, 1, log.count(`level=WARN msg="term over"`))
	})
}

// A clean stop is no error, also if the replica had resigned a moment before.
func TestOneTermResignedAndStopped(t *testing.T) {
	inLab(t, func(l lab) {
		e := l.elector("a", oneTerm)
		r := l.run(e, func(ctx context.Context, _ *singleton.Term) error {
			<-ctx.Done()
			time.Sleep(3 * second)
			return nil
		})
		e.Resign()
		sleep(second)
		r.stop()
		require.NoError(l, r.wait(l))
	})
}

func TestProgramsThatAreNone(t *testing.T) {
	for name, program := range map[string]string{"not UTF-8": "a\xff", "too long": strings.Repeat("a", 201)} {
		t.Run(name, func(t *testing.T) {
			_, err := singleton.New(&singleton.Client{}, singleton.Config{
				Name: "invoicer", Namespace: "shop", Replica: singleton.ReplicaConfig{Program: program},
			})
			require.ErrorContains(t, err, "Replica.Program")
			require.ErrorContains(t, err, "must be made by NewClient")
		})
	}
}
