package singleton_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/scenario"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// Ways a hostile reviewer broke the first version; see the track record.

// A standby that saw the Lease missing, missed a whole term, and finds it
// missing again must not count from its first look.
func TestMissingTwiceIsNotMissingAllAlong(t *testing.T) {
	onStage(t, scenario.Options{NoLease: true}, func(t *testing.T, s *scenario.Stage) {
		s.StartNamed("a")
		s.StartNamed("b")
		time.Sleep(5 * time.Second)
		s.Link("b").Cut()
		require.True(t, s.WaitTerms("a", 1, time.Minute))
		time.Sleep(20 * time.Second)
		s.Link("a").Cut() // at work for RenewDeadline still
		s.DeleteLease(scenario.Namespace, scenario.Lease)
		s.Link("b").Heal()
		time.Sleep(30 * time.Second)
		require.Len(t, s.TermsOf("b"), 1)
	})
}

// A create that arrives late, after another term and another deletion.
func TestLateCreateStartsNoTerm(t *testing.T) {
	for _, late := range []time.Duration{2 * time.Second, 20 * time.Second} {
		onStage(t, scenario.Options{NoLease: true}, func(t *testing.T, s *scenario.Stage) {
			s.Link("a").Inject(apiserver.Fault{Verbs: []string{"create"}, Count: 1, DelayBefore: late})
			s.StartNamed("a")
			s.StartNamed("b")
			require.True(t, s.Until(40*time.Second, func() bool { return len(working(s)) == 1 }))
			s.Link(working(s)[0]).BlackHole()
			s.DeleteLease(scenario.Namespace, scenario.Lease)
			time.Sleep(time.Minute)
		})
	}
}

// The identity in a record proves nothing: not when somebody wrote it there,
// and not when an old record was restored.
func TestOwnIdentityIsWaitedOutLikeAnyOther(t *testing.T) {
	takeTurns := func(t *testing.T, s *scenario.Stage) (b string, backup *apiserver.Snapshot) {
		s.StartNamed("b")
		require.True(t, s.WaitTerms("b", 1, time.Second))
		b = *s.Lease(scenario.Namespace, scenario.Lease).Spec.HolderIdentity
		s.StartNamed("a")
		time.Sleep(5 * time.Second)
		backup = s.Snapshot()
		s.Link("b").Cut()
		require.True(t, s.WaitTerms("a", 1, time.Minute))
		s.Link("b").Heal()
		time.Sleep(5 * time.Second)
		return b, backup
	}
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		b, _ := takeTurns(t, s)
		s.Link("a").BlackHole()
		scenario.SetHolder(s, b)
		time.Sleep(30 * time.Second)
		require.Len(t, working(s), 1)
	})
	for _, bump := range []bool{false, true} {
		for _, cut := range []bool{false, true} {
			t.Run(fmt.Sprintf("bump=%v/cut=%v", bump, cut), func(t *testing.T) {
				onRestoredStage(t, !bump, func(t *testing.T, s *scenario.Stage) {
					_, backup := takeTurns(t, s)
					if cut {
						s.Link("a").BlackHole()
					}
					s.Restore(backup, bump)
					time.Sleep(40 * time.Second)
					require.Len(t, working(s), 1)
				})
			})
		}
	}
}

func TestShortenedDurationIsNotBelievedOnFirstSight(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		s.StartNamed("a")
		require.True(t, s.WaitTerms("a", 1, time.Second))
		time.Sleep(5 * time.Second)
		s.Link("a").BlackHole()
		scenario.Edit(s, func(l *coordv1.Lease) { second := int32(1); l.Spec.LeaseDurationSeconds = &second })
		s.StartNamed("b")
		time.Sleep(30 * time.Second)
		require.Len(t, s.TermsOf("b"), 1)
	})
}

func TestLengthenedDurationDoesNotStick(t *testing.T) {
	day := func(l *coordv1.Lease) { d := int32(86400); l.Spec.LeaseDurationSeconds = &d }
	for name, mend := range map[string]func(s *scenario.Stage){
		"renewed": func(s *scenario.Stage) { time.Sleep(5 * time.Second); s.Link("a").Cut() },
		"set right by hand": func(s *scenario.Stage) {
			s.Link("a").Cut()
			time.Sleep(time.Second)
			scenario.Edit(s, func(l *coordv1.Lease) { d := int32(15); l.Spec.LeaseDurationSeconds = &d })
		},
		"deleted": func(s *scenario.Stage) {
			s.Link("a").Cut()
			time.Sleep(time.Second)
			s.DeleteLease(scenario.Namespace, scenario.Lease)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
				trio(t, s)
				scenario.Edit(s, day)
				mend(s)
				time.Sleep(11 * time.Second)
				activeWithin(t, s, bound)
			})
		})
	}
}

// What is refused for a while at failover, by servers that restart, must not end
// standbys that have never written.
func TestTransientRefusalsEndNobody(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	for _, status := range []int{400, 403, 405, 415, 422} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
				trio(t, s)
				time.Sleep(time.Minute)
				s.Link("a").Cut()
				var heal []func()
				for _, name := range []string{"b", "c"} {
					heal = append(heal, s.Link(name).Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, Status: status}))
				}
				time.Sleep(2 * time.Minute)
				for _, heal := range heal {
					heal()
				}
				activeWithin(t, s, bound)
			})
		})
	}
}

// Two single refusals hours apart are no refusal for a lease.
func TestRefusalsHoursApart(t *testing.T) {
	inLab(t, func(l lab) {
		e := l.elector("a")
		for range 3 {
			heal := l.Link("a").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, Status: 403})
			e.SetEligible(true)
			if e.Status().State == singleton.StateStopped {
				l.run(e, idle)
			}
			sleep(10 * time.Millisecond)
			require.NotZero(l, l.CountRequests("a", "patch"))
			e.SetEligible(false) // or it would acquire
			heal()
			sleep(time.Hour)
			require.Equal(l, singleton.StateStandby, e.Status().State)
			require.Empty(l, l.record().Holder())
			l.ForgetRequests()
		}
	})
}

// Nor are those that another answer came between.
func TestRefusalsWithOtherAnswersBetween(t *testing.T) {
	for _, other := range []int{401, 409, 429, 500, 503} {
		inLab(t, func(l lab) {
			e := l.elector("a")
			for _, step := range []struct {
				status int
				lasts  time.Duration
			}{{403, 8 * second}, {other, 8 * second}, {403, 20 * second}} {
				heal := l.Link("a").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, Status: step.status})
				if e.Status().State == singleton.StateStopped {
					l.run(e, idle)
				}
				sleep(step.lasts)
				require.NotEqual(l, singleton.StateStopped, e.Status().State, other)
				heal()
			}
			sleep(5 * second)
			require.Equal(l, singleton.StateActive, e.Status().State, other)
		})
	}
}

// One that has lost races, and is alone when the Lease comes free, takes it.
func TestLoserAloneStarvesNot(t *testing.T) {
	inLab(t, func(l lab) {
		heal := l.Link("a").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, Status: 409})
		e := l.elector("a")
		l.run(e, idle)
		sleep(5 * second)
		heal()
		l.edit(takenByX)
		sleep(17 * second)
		require.Equal(l, singleton.StateActive, e.Status().State)
	})
}

// A Lease that can never be won, since something else writes it each time, is told
// like an outage.
func TestContestedLeaseIsTold(t *testing.T) {
	inLab(t, func(l lab) {
		log := &lines{}
		heal := l.Link("a").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, Status: 409})
		e := l.elector("a", func(c *singleton.Config) { c.Logger = log.logger() })
		l.run(e, idle)
		sleep(30 * second)
		require.InDelta(l, 2, log.count("each attempt to acquire the Lease conflicts with another write"), 1)
		heal()
		sleep(3 * second)
		require.Equal(l, singleton.StateActive, e.Status().State)
		require.Equal(l, 1, log.count("the Lease is no longer contested"))
	})
}

// Where patch is refused that is said once, with what it costs.
func TestFallbackIsToldOnce(t *testing.T) {
	inLab(t, func(l lab) {
		log := &lines{}
		l.Forbid("a", "patch")
		e := l.elector("a", func(c *singleton.Config) { c.Logger = log.logger() })
		l.run(e, idle)
		sleep(10 * time.Minute)
		require.Equal(l, singleton.StateActive, e.Status().State)
		require.Equal(l, 1, log.count("not allowed to patch the Lease"))
	})
}

func TestUnheardReplicaRecoversInTime(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		heal := s.Link("a").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, HangAnswer: true})
		s.StartNamed("a")
		time.Sleep(5200 * time.Millisecond)
		heal()
		activeWithin(t, s, bound)
	})
}

// While something fails for long, a standby asks a few times a second at most.
func TestLastingFailuresAreNotHammered(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	for _, fault := range []apiserver.Fault{
		{Verbs: []string{"update", "patch"}, Status: 500}, {Verbs: []string{"update"}, Status: 429},
		{Verbs: []string{"update", "patch"}, Status: 409}, {Verbs: []string{"update"}, Status: 403},
		{Verbs: []string{"list", "get"}, Status: 404}, {Verbs: []string{"list"}, Status: 401},
		{Verbs: []string{"watch"}, Status: 410}, {Verbs: []string{"watch"}, Status: 500},
	} {
		t.Run(fmt.Sprintf("%s %d", fault.Verbs[0], fault.Status), func(t *testing.T) {
			inLab(t, func(l lab) {
				l.run(l.elector("b"), idle)
				e := l.elector("a")
				l.run(e, idle)
				sleep(5 * second)
				l.Link("a").Inject(fault)
				l.Link("a").EndWatches()
				l.Link("b").Cut() // the seat is free, if a can get it
				sleep(30 * second)
				l.ForgetRequests()
				sleep(time.Minute)
				require.LessOrEqual(l, l.CountRequests("a"), 300)
				l.Link("b").Heal()
			})
		})
	}
}

// Rule F1: a holder whose Lease is deleted, and that may not create one, asks now and then.
func TestSeatThatMayNotBeCreatedIsNotHammered(t *testing.T) {
	someWay(t, sharedDrains, func(w *world) {
		w.Forbid("a", "create")
		w.start("a")
		sleep(5 * second)
		w.ForgetRequests()
		w.DeleteLease("shop", "invoicer")
		sleep(time.Minute)
		require.Less(w, w.CountRequests("a"), 200)
	})
}

func TestIneligibleAndResignedWhileAcquiring(t *testing.T) {
	for name, leave := range map[string]func(e *singleton.Elector){
		"ineligible": func(e *singleton.Elector) { e.SetEligible(false) },
		"resigned":   func(e *singleton.Elector) { e.Resign() },
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				l.Link("a").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, Count: 1, DelayAfter: second})
				e := l.elector("a")
				l.run(e, idle)
				sleep(500 * time.Millisecond)
				require.Equal(l, singleton.StateAcquiring, e.Status().State)
				leave(e)
				sleep(2 * second)
				require.Equal(l, singleton.StateStandby, e.Status().State)
				require.True(l, l.record().Released())
			})
		})
	}
}

// A process that is stopped while its acquire is under way hears it out, so that
// nobody has to wait for one that is gone.
func TestStoppedWhileAcquiring(t *testing.T) {
	inLab(t, func(l lab) {
		l.Link("a").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, Count: 1, DelayAfter: second})
		e := l.elector("a")
		r := l.run(e, func(context.Context, *singleton.Term) error { return nil })
		sleep(500 * time.Millisecond)
		require.Equal(l, singleton.StateAcquiring, e.Status().State)
		r.stop()
		require.NoError(l, r.wait(l))
		require.True(l, l.record().Released())
	})
}

// What one Run knew, the next still knows.
func TestEpochsGrowAcrossRuns(t *testing.T) {
	inLab(t, func(l lab) {
		e := l.elector("a")
		var epochs []int64
		turn := func(context.Context, *singleton.Term) error {
			epochs = append(epochs, e.Status().Token.Epoch)
			return nil
		}
		require.NoError(l, l.run(e, turn).wait(l))
		l.edit(func(x *coordv1.Lease) { x.Annotations[lease.AnnotationEpoch] = "5000" })
		require.NoError(l, l.run(e, turn).wait(l))
		l.DeleteLease("shop", "invoicer")
		require.NoError(l, l.run(e, turn).wait(l))
		require.Len(l, epochs, 3)
		require.IsIncreasing(l, epochs)
		require.Positive(l, epochs[0])
		require.Greater(l, epochs[2], int64(5001))
	})
}

// After a restore with a bumped revision the store's version is above every term that
// was forgotten, also for a process that knew none of them. The Lease's own is not.
func TestEpochIsAboveWhatARestoreForgot(t *testing.T) {
	inLab(t, func(l lab) {
		backup := l.Snapshot()
		a, b := l.elector("a"), l.elector("b")
		r := l.run(a, idle)
		sleep(time.Minute)
		a.Resign()
		sleep(10 * second) // its next term counts from the renewals' versions
		forgotten := a.Status().Token.Epoch
		require.Positive(l, forgotten)
		r.stop()
		require.NoError(l, r.wait(l))
		l.Restore(backup, true)
		l.run(b, idle)
		sleep(16 * second)
		require.Greater(l, b.Status().Token.Epoch, forgotten)
	})
}

func TestRaiseAfterTheTermIsOver(t *testing.T) {
	inLab(t, func(l lab) {
		e := l.elector("a", func(c *singleton.Config) { c.Fencing.MaxRaise = 100 })
		var kept *singleton.Term
		r := l.run(e, func(_ context.Context, term *singleton.Term) error { kept = term; return errors.New("done") })
		require.Error(l, r.wait(l))
		var end *singleton.EndError
		require.ErrorAs(l, kept.Raise(context.Background(), kept.Token().Epoch+1), &end)
		require.Equal(l, singleton.ReasonReturned, end.Reason)
	})
}

func TestLostAnswersOfReleaseAndRaise(t *testing.T) {
	once := apiserver.Fault{Verbs: []string{"update", "patch"}, Count: 1, LoseAnswer: true}
	inLab(t, func(l lab) {
		log := &lines{}
		e := l.elector("a", func(c *singleton.Config) { c.Logger = log.logger() })
		r := l.run(e, idle)
		l.Link("a").Inject(once)
		r.stop()
		require.NoError(l, r.wait(l))
		require.True(l, l.record().Released())
		require.Zero(l, log.count("is not confirmed"))
	})
	inLab(t, func(l lab) {
		e := l.elector("a", func(c *singleton.Config) { c.Fencing.MaxRaise = 1000 })
		terms := make(chan *singleton.Term, 2)
		l.run(e, func(ctx context.Context, term *singleton.Term) error { terms <- term; <-ctx.Done(); return nil })
		term := <-terms
		l.Link("a").Inject(once)
		require.Error(l, term.Raise(context.Background(), 500))
		sleep(5 * second)
		require.True(l, term.Valid(), "not fenced by its own raise")
		require.EqualValues(l, 501, term.Token().Epoch)
	})
}

func TestPanickingFloor(t *testing.T) {
	inLab(t, func(l lab) {
		e := l.elector("a", func(c *singleton.Config) { c.Fencing.Floor = func(context.Context) (int64, error) { panic("floor") } })
		r := l.run(e, idle)
		<-r.done
		require.IsType(l, &singleton.PanicError{}, r.panicked)
		require.Equal(l, singleton.StateStopped, e.Status().State)
	})
}

// An epoch raised by hand ends the term, and another replica goes first.
func TestEpochRaisedByHandMovesTheSeat(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		trio(t, s)
		scenario.Edit(s, func(l *coordv1.Lease) { l.Annotations[lease.AnnotationEpoch] = "1000000" })
		time.Sleep(bound)
		require.NotEqual(t, []string{"a"}, working(s))
		require.Len(t, working(s), 1)
	})
}
