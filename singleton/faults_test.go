package singleton_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/scenario"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/lease"
)

// Fault scripts for G1, G2 and G4. onStage checks after each that no two were
// at work, that tokens grew, and that nobody wrote over another's record.

// bound is G4's: a lease and half a second.
const bound = 15500 * time.Millisecond

// trio starts three replicas of which a is active.
func trio(t *testing.T, s *scenario.Stage) {
	s.StartNamed("a")
	require.True(t, s.WaitTerms("a", 1, time.Second))
	s.StartNamed("b")
	s.StartNamed("c")
	time.Sleep(5 * time.Second)
}

// working reports who is at work now.
func working(s *scenario.Stage) (names []string) {
	for _, term := range s.Terms() {
		if term.Ended.IsZero() {
			names = append(names, term.Name)
		}
	}
	return names
}

// activeWithin requires that somebody is at work within d.
func activeWithin(t *testing.T, s *scenario.Stage, d time.Duration) {
	t.Helper()
	require.True(t, s.Until(d, func() bool { return len(working(s)) == 1 }), "nobody at work %v after the faults: %+v", d, s.Terms())
}

// undisturbed requires that a's first term is the only one and still runs.
func undisturbed(t *testing.T, s *scenario.Stage) {
	t.Helper()
	require.Len(t, s.Terms(), 1)
	require.Equal(t, []string{"a"}, working(s))
}

func TestPartitionOfTheActive(t *testing.T) {
	t.Parallel()
	for name, part := range map[string]func(*apiserver.Link){
		"cut": (*apiserver.Link).Cut, "black hole": (*apiserver.Link).BlackHole, "freeze": (*apiserver.Link).Freeze,
	} {
		for _, heals := range []time.Duration{5, 9, 11, 14, 16, 40} {
			t.Run(fmt.Sprintf("%s/%ds", name, heals), func(t *testing.T) {
				onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
					trio(t, s)
					part(s.Link("a"))
					time.Sleep(heals * time.Second)
					s.Link("a").Heal()
					activeWithin(t, s, bound)
					time.Sleep(time.Minute)
					require.Len(t, working(s), 1)
					if heals <= 5 {
						undisturbed(t, s)
					}
				})
			})
		}
	}
}

func TestPartitionOfEverybody(t *testing.T) {
	t.Parallel()
	for name, part := range map[string]func(*apiserver.Link){"cut": (*apiserver.Link).Cut, "freeze": (*apiserver.Link).Freeze} {
		for _, lasts := range []time.Duration{7, 12, 60} {
			t.Run(fmt.Sprintf("%s/%ds", name, lasts), func(t *testing.T) {
				onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
					trio(t, s)
					for _, n := range []string{"a", "b", "c"} {
						part(s.Link(n))
					}
					time.Sleep(lasts * time.Second)
					for _, n := range []string{"a", "b", "c"} {
						s.Link(n).Heal()
					}
					activeWithin(t, s, bound)
					if lasts < 8 {
						undisturbed(t, s)
					}
				})
			})
		}
	}
}

func TestFaultyRequestsShorterThanTheDeadlineDisturbNothing(t *testing.T) {
	t.Parallel()
	const d = 6 * time.Second
	for name, fault := range map[string]apiserver.Fault{
		"renewals black-holed":   {Verbs: []string{"update", "patch"}, HangRequest: true},
		"renewals unanswered":    {Verbs: []string{"update", "patch"}, HangAnswer: true},
		"renewals' answers lost": {Verbs: []string{"update", "patch"}, LoseAnswer: true},
		"renewals late":          {Verbs: []string{"update", "patch"}, DelayBefore: 2 * time.Second},
		"answers late":           {Verbs: []string{"update", "patch"}, DelayAfter: 2 * time.Second},
		"answers very late":      {Verbs: []string{"update", "patch"}, DelayAfter: 4 * time.Second},
		"everything late":        {DelayBefore: 500 * time.Millisecond, DelayAfter: 500 * time.Millisecond},
		"409":                    {Verbs: []string{"update", "patch"}, Status: http.StatusConflict},
		"429":                    {Status: http.StatusTooManyRequests},
		"429, retry after 1 s":   {Status: http.StatusTooManyRequests, RetryAfter: time.Second},
		"429, retry after 1 min": {Status: http.StatusTooManyRequests, RetryAfter: time.Minute},
		"500":                    {Status: http.StatusInternalServerError},
		"503":                    {Status: http.StatusServiceUnavailable},
		"403":                    {Status: http.StatusForbidden},
		"401":                    {Status: http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
				trio(t, s)
				remove := s.Link("a").Inject(fault)
				time.Sleep(d)
				remove()
				time.Sleep(30 * time.Second)
				undisturbed(t, s)
			})
		})
		t.Run(name+", for ever", func(t *testing.T) {
			onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
				trio(t, s)
				s.Link("a").Inject(fault)
				time.Sleep(40 * time.Second)
				activeWithin(t, s, bound)
			})
		})
	}
}

func TestLostAnswersOfAcquire(t *testing.T) {
	for name, fault := range map[string]apiserver.Fault{
		"lost":         {Verbs: []string{"update", "patch"}, Count: 1, LoseAnswer: true},
		"hangs":        {Verbs: []string{"update", "patch"}, Count: 1, HangAnswer: true},
		"500":          {Verbs: []string{"update", "patch"}, Count: 1, Status: 500},
		"and the list": {Verbs: []string{"update", "patch", "list", "get"}, Skip: 1, Count: 3, HangAnswer: true},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
				s.Link("a").Inject(fault)
				s.StartNamed("a")
				activeWithin(t, s, 5*time.Second+bound) // the faults last 5 s at most
				require.Len(t, s.Terms(), 1)
				require.Equal(t, s.Terms()[0].Token, epochOf(t, s), "the token on the Lease is the one at work")
			})
		})
	}
}

func epochOf(t *testing.T, s *scenario.Stage) int64 {
	token, ok := lease.NewRecord(s.Lease(scenario.Namespace, scenario.Lease)).Token()
	require.True(t, ok)
	return token.Epoch
}

func TestLabelStorm(t *testing.T) {
	whole.Only(t)
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		trio(t, s)
		for i := range 3000 {
			scenario.Edit(s, func(l *coordv1.Lease) { l.Labels = map[string]string{"i": fmt.Sprint(i)} })
			time.Sleep(10 * time.Millisecond)
		}
		undisturbed(t, s)
		require.Equal(t, "2999", s.Lease(scenario.Namespace, scenario.Lease).Labels["i"], "labels survive renewals")
	})
}

// A label is edited between every read and write of the active's.
func TestConflictOnEveryRenewal(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		trio(t, s)
		n := 0
		remove := s.Link("a").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, DelayBefore: 20 * time.Millisecond})
		stop := time.Now().Add(7 * time.Second)
		for time.Now().Before(stop) {
			n++
			scenario.Edit(s, func(l *coordv1.Lease) { l.Labels = map[string]string{"n": fmt.Sprint(n)} })
			time.Sleep(5 * time.Millisecond)
		}
		remove()
		time.Sleep(20 * time.Second)
		undisturbed(t, s)
	})
}

func TestWatchesEnding(t *testing.T) {
	for name, end := range map[string]func(*apiserver.Link){
		"end": (*apiserver.Link).EndWatches, "410": (*apiserver.Link).ExpireWatches,
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
				trio(t, s)
				for range 100 {
					for _, n := range []string{"a", "b", "c"} {
						end(s.Link(n))
					}
					time.Sleep(200 * time.Millisecond)
				}
				undisturbed(t, s)
				time.Sleep(3 * time.Second) // watches that ended so often are not opened again at once
				s.ForgetRequests()
				time.Sleep(20 * time.Second)
				require.Zero(t, s.CountRequests("b"), "watching again, it asks nothing")
			})
		})
	}
}

// A standby whose watch went silent is brought back by its own confirmation.
func TestSilentWatchIsReplaced(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		a := s.StartNamed("a")
		require.True(t, s.WaitTerms("a", 1, time.Second))
		s.StartNamed("b")
		time.Sleep(5 * time.Second)
		s.Link("b").BlackHole()
		time.Sleep(3 * time.Second)
		s.Link("b").Heal() // new requests work; the open watch says nothing any more
		time.Sleep(30 * time.Second)
		a.Stop()
		require.True(t, s.WaitTerms("b", 1, 100*time.Millisecond), "its new watch told it")
	})
}

// A watch that died without a word costs a standby a few renewals' time, not a
// lease: the holder goes on for seconds after it, unseen, and then crashes.
func TestSilentWatchIsNoticedBeforeTheLeaseRunsOut(t *testing.T) {
	for _, unseen := range []time.Duration{time.Second, 3 * time.Second, 7 * time.Second, 9 * time.Second, 14 * time.Second} {
		onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
			s.StartNamed("a")
			require.True(t, s.WaitTerms("a", 1, time.Second))
			s.StartNamed("b")
			time.Sleep(5 * time.Second)
			s.Link("b").BlackHole()
			time.Sleep(3 * time.Second)
			s.Link("b").Heal() // new requests work; the open watch says nothing any more
			time.Sleep(unseen)
			s.Link("a").Cut()
			crashed := time.Now()
			require.True(t, s.WaitTerms("b", 1, 2*bound))
			const retryPeriod = 2 * time.Second
			require.LessOrEqual(t, time.Since(crashed), bound+3*retryPeriod, "%v unseen", unseen)
		})
	}
}

// While the Lease is missing no wait for it has begun: a standby that could not
// create it must not let long pauses pass once it can.
func TestMissingLeaseIsCreatedSoonAfterAnOutage(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	for outage := 12 * time.Second; outage < 17*time.Second; outage += 250 * time.Millisecond { // anywhere in a pause
		onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
			trio(t, s)
			// Not a reset: client-go tries a read that met one again, a second later.
			var removes []func()
			for _, n := range []string{"a", "b", "c"} {
				removes = append(removes, s.Link(n).Inject(apiserver.Fault{Verbs: []string{"list", "get", "create", "update", "patch"}, Status: http.StatusInternalServerError}))
			}
			time.Sleep(9 * time.Second)
			s.DeleteLease(scenario.Namespace, scenario.Lease) // the watches go on and tell of it
			time.Sleep(outage)
			for _, remove := range removes {
				remove()
			}
			require.True(t, s.Until(bound, func() bool { return len(working(s)) == 1 }))
		})
	}
}

// TestTakesOverSoonAfterAnOutage: the lease ran out while nobody could write, so
// nothing is waited for but the pause between two attempts.
func TestTakesOverSoonAfterAnOutage(t *testing.T) {
	t.Parallel()
	for outage := 40 * time.Second; outage < 45*time.Second; outage += 250 * time.Millisecond { // anywhere in a pause
		onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
			trio(t, s)
			var removes []func()
			for _, n := range []string{"a", "b", "c"} {
				removes = append(removes, s.Link(n).Inject(apiserver.Fault{Verbs: []string{"list", "get", "create", "update", "patch"}, Status: http.StatusInternalServerError}))
			}
			time.Sleep(outage)
			require.Empty(t, working(s))
			for _, remove := range removes {
				remove()
			}
			require.True(t, s.Until(lease.DefaultRetryPeriod+500*time.Millisecond, func() bool { return len(working(s)) == 1 }))
		})
	}
}

func TestSilentWatchOfTheActiveIsReplaced(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		trio(t, s)
		s.Link("a").BlackHole()
		scenario.Edit(s, func(l *coordv1.Lease) { l.Labels = map[string]string{"lost": "event"} }) // or it would not go silent
		time.Sleep(5 * time.Second)
		s.Link("a").Heal()
		time.Sleep(10 * time.Second)
		undisturbed(t, s)
		renewed := func() time.Time { return lease.NewRecord(s.Lease(scenario.Namespace, scenario.Lease)).RenewTime() }
		last := renewed()
		require.True(t, s.Until(3*time.Second, func() bool { return !renewed().Equal(last) })) // the next would tell it too
		taken := time.Now()
		scenario.SetHolder(s, "x")
		require.True(t, s.Until(bound+bound, func() bool { return !s.Terms()[0].Ended.IsZero() }))
		require.Less(t, s.Terms()[0].Ended.Sub(taken), 100*time.Millisecond)
	})
}

func TestLeaseDeletedLeaderCutOff(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		trio(t, s)
		s.Link("a").BlackHole()
		s.DeleteLease(scenario.Namespace, scenario.Lease)
		activeWithin(t, s, time.Millisecond) // a does not know yet
		require.True(t, s.Until(20*time.Second, func() bool { return len(working(s)) == 0 }))
		require.True(t, s.Until(bound, func() bool { return len(working(s)) == 1 }))
		require.NotEqual(t, []string{"a"}, working(s))
	})
}

// Deleted and at once shipped anew, unheld, while the active is cut off.
func TestLeaseShippedAnewLeaderCutOff(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		trio(t, s)
		s.Link("a").BlackHole()
		s.DeleteLease(scenario.Namespace, scenario.Lease)
		fresh := &coordv1.Lease{}
		fresh.Namespace, fresh.Name = scenario.Namespace, scenario.Lease
		_, err := s.CreateLease(fresh)
		require.NoError(t, err)
		time.Sleep(bound)
		activeWithin(t, s, time.Second)
	})
}

func TestLeaseDeletedAgainAndAgain(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		trio(t, s)
		for range 20 {
			s.DeleteLease(scenario.Namespace, scenario.Lease)
			time.Sleep(700 * time.Millisecond)
		}
		activeWithin(t, s, bound)
		require.Greater(t, len(s.Terms()), 10)
	})
}

// Each edit that takes the Lease from its holder costs an instant, not a lease.
func TestLeaseClearedAgainAndAgain(t *testing.T) {
	for name, edit := range map[string]func(*coordv1.Lease){
		"cleared":                    func(l *coordv1.Lease) { l.Spec.HolderIdentity = nil },
		"replaced with the manifest": func(l *coordv1.Lease) { l.Annotations, l.Spec = nil, coordv1.LeaseSpec{} },
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
				trio(t, s)
				for range 20 {
					scenario.Edit(s, edit)
					time.Sleep(3 * time.Second)
				}
				activeWithin(t, s, bound)
				terms := s.Terms()
				require.Len(t, terms, 21)
				for i, term := range terms[1:] {
					require.Less(t, term.Started.Sub(terms[i].Ended), time.Second)
				}
			})
		})
	}
}

func TestHandEditsWhileTheActiveIsCutOff(t *testing.T) {
	t.Parallel()
	second := int32(1)
	for name, edit := range map[string]func(*coordv1.Lease){
		"holder cleared":           func(l *coordv1.Lease) { nobody := ""; l.Spec.HolderIdentity = &nobody },
		"holder removed":           func(l *coordv1.Lease) { l.Spec.HolderIdentity = nil },
		"foreign, one second":      func(l *coordv1.Lease) { x := "x"; l.Spec.HolderIdentity, l.Spec.LeaseDurationSeconds = &x, &second },
		"duration shortened":       func(l *coordv1.Lease) { l.Spec.LeaseDurationSeconds = &second },
		"spec emptied":             func(l *coordv1.Lease) { l.Spec = coordv1.LeaseSpec{} },
		"everything emptied":       func(l *coordv1.Lease) { l.Spec = coordv1.LeaseSpec{}; l.Annotations = nil },
		"annotations removed":      func(l *coordv1.Lease) { l.Annotations = nil },
		"epoch raised":             func(l *coordv1.Lease) { l.Annotations[lease.AnnotationEpoch] = "100000" },
		"renew time in the past":   func(l *coordv1.Lease) { l.Spec.RenewTime.Time = l.Spec.RenewTime.Add(-time.Hour) },
		"renew time in the future": func(l *coordv1.Lease) { l.Spec.RenewTime.Time = l.Spec.RenewTime.Add(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
				trio(t, s)
				s.Link("a").BlackHole()
				scenario.Edit(s, edit)
				time.Sleep(bound)
				activeWithin(t, s, time.Second)
			})
			onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
				trio(t, s) // the same, with the active connected
				scenario.Edit(s, edit)
				activeWithin(t, s, bound)
				time.Sleep(time.Minute)
				require.Len(t, working(s), 1)
			})
		})
	}
}

func TestAnnotationsRemovedAreWrittenAgain(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		trio(t, s)
		scenario.Edit(s, func(l *coordv1.Lease) { l.Annotations = nil })
		time.Sleep(3 * time.Second)
		undisturbed(t, s)
		require.Equal(t, s.Terms()[0].Token, epochOf(t, s))
	})
}

func TestEpochRaisedByHandFencesTheTerm(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		trio(t, s)
		raised := time.Now()
		scenario.Edit(s, func(l *coordv1.Lease) { l.Annotations[lease.AnnotationEpoch] = "1000000" })
		require.True(t, s.Until(bound, func() bool { return len(s.Terms()) == 2 }))
		require.Less(t, s.Terms()[0].Ended.Sub(raised), 100*time.Millisecond)
		require.Less(t, s.Terms()[1].Started.Sub(raised), time.Second, "released once its work has returned")
		require.EqualValues(t, 1000001, s.Terms()[1].Token)
	})
}

func TestStoreRestored(t *testing.T) {
	for _, bump := range []bool{true, false} {
		for _, cutOff := range []bool{true, false} {
			t.Run(fmt.Sprintf("bump=%v/active cut off=%v", bump, cutOff), func(t *testing.T) {
				tokensMayRepeat := !bump
				onRestoredStage(t, tokensMayRepeat, func(t *testing.T, s *scenario.Stage) {
					backup := s.Snapshot() // unheld
					trio(t, s)
					time.Sleep(30 * time.Second)
					if cutOff {
						s.Link("a").BlackHole()
					}
					s.Restore(backup, bump)
					activeWithin(t, s, bound+bound)
					time.Sleep(time.Minute)
					require.Len(t, working(s), 1)
				})
			})
		}
	}
}
