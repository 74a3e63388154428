package singleton_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/scenario"
)

// Each test here is a row of README's table "Beside client-go"; internal/bench plays the same
// scripts to client-go.

func TestLastRenewalAnsweredLateThenAPILost(t *testing.T) {
	t.Parallel()
	for _, late := range []time.Duration{0, 4900 * time.Millisecond, 9500 * time.Millisecond} {
		for _, timeout := range []time.Duration{0, 5 * time.Second} {
			t.Run(fmt.Sprintf("late=%v/timeout=%v", late, timeout), func(t *testing.T) {
				onStage(t, scenario.Options{ClientTimeout: timeout}, func(t *testing.T, s *scenario.Stage) {
					scenario.CutAfterLateAnswer(s, late)
					require.Len(t, s.TermsOf("a"), 1)
					require.Len(t, s.TermsOf("b"), 1)
				})
			})
		}
	}
}

func TestPartitionRightAfterPromptRenewal(t *testing.T) {
	onStage(t, scenario.Options{Release: true}, func(t *testing.T, s *scenario.Stage) {
		scenario.CutAfterLateAnswer(s, 0)
		a, b := s.TermsOf("a"), s.TermsOf("b")
		require.Len(t, a, 1)
		require.Len(t, b, 1)
		// The last acknowledged renewal was the second, at 4 s.
		require.Equal(t, 14*time.Second, s.At(a[0].Ended), "context ends at send + RenewDeadline")
		require.InDelta(t, 19*time.Second, s.At(b[0].Started), float64(100*time.Millisecond))
	})
}

func TestAcquireAnsweredLate(t *testing.T) {
	for _, late := range []time.Duration{3 * time.Second, 9 * time.Second, 16 * time.Second, 30 * time.Second} {
		t.Run(late.String(), func(t *testing.T) {
			onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
				scenario.LateAcquire(s, late)
				require.NotEmpty(t, s.Terms(), "somebody works in the end")
			})
		})
	}
}

func TestLeaseDeletedUnderLiveLeader(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		scenario.LeaseDeleted(s)
		terms := s.Terms()
		require.Len(t, terms, 2)
		require.Equal(t, "a", terms[1].Name, "its last holder may create it first")
		// At once, or, if a standby creates it at the same moment, after a look at that.
		require.Less(t, terms[1].Started.Sub(terms[0].Ended), time.Second)
	})
}

func TestAnotherHolderSeenInTheRecord(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		scenario.TakenAndReleased(s)
		terms := s.TermsOf("a")
		require.Len(t, terms, 2)
		require.Less(t, s.At(terms[0].Ended), 3100*time.Millisecond, "context ends within 100 ms of the edit at 3 s")
	})
}

func TestHealingPartitionNeverClearsTheSuccessor(t *testing.T) {
	t.Parallel()
	for _, heal := range []time.Duration{14, 15, 16, 17, 18, 19, 22} {
		for _, timeout := range []time.Duration{0, 5 * time.Second} {
			t.Run(fmt.Sprintf("heal=%ds/timeout=%v", heal, timeout), func(t *testing.T) {
				onStage(t, scenario.Options{ClientTimeout: timeout, Release: true}, func(t *testing.T, s *scenario.Stage) {
					scenario.HealingPartition(s, heal*time.Second)
					if heal > 15 {
						require.Len(t, s.TermsOf("b"), 1, "b took over and is not disturbed: %+v", s.Terms())
					}
					last := s.Terms()[len(s.Terms())-1]
					require.True(t, last.Ended.IsZero(), "somebody is at work in the end")
				})
			})
		}
	}
}

func TestReleasedAfterTheWorkReturned(t *testing.T) {
	onStage(t, scenario.Options{Release: true}, func(t *testing.T, s *scenario.Stage) {
		scenario.Drain(s)
		a, b := s.TermsOf("a"), s.TermsOf("b")
		require.Len(t, b, 1)
		require.Equal(t, 3*time.Second, a[0].Return.Sub(a[0].Ended))
		require.Less(t, b[0].Started.Sub(a[0].Return), 100*time.Millisecond)
	})
}

func TestWorkThatReturnsEndsTheTerm(t *testing.T) {
	failure := errors.New("printer on fire")
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		a := s.Start(&scenario.Candidate{Name: "a", Err: failure}) // hotseat asserts that Run returns it
		<-a.Done()
		l := s.Lease(scenario.Namespace, scenario.Lease)
		require.Empty(t, *l.Spec.HolderIdentity, "released")
		s.StartNamed("b")
		require.True(t, s.WaitTerms("b", 1, 100*time.Millisecond))
	})
}

func TestOneIdentityTwoProcesses(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		scenario.SameIdentity(s)
		require.Len(t, s.Terms(), 1)
	})
}

func TestLeaseTransitionsAtMaxInt32(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		scenario.TransitionsAtMax(s)
		require.Len(t, s.TermsOf("a"), 1)
		require.EqualValues(t, 1<<31-1, *s.Lease(scenario.Namespace, scenario.Lease).Spec.LeaseTransitions)
	})
}

func TestGracefulHandoverIsImmediate(t *testing.T) {
	for _, after := range []time.Duration{0, 500 * time.Millisecond, 1999 * time.Millisecond} {
		onStage(t, scenario.Options{Release: true}, func(t *testing.T, s *scenario.Stage) {
			require.Less(t, scenario.Handover(s, after, 2), 10*time.Millisecond, "virtual: no request takes time")
		})
	}
}

func TestCrashFailoverWithinALease(t *testing.T) {
	for _, after := range []time.Duration{0, 700 * time.Millisecond, 1999 * time.Millisecond} {
		for _, standbys := range []int{1, 2} {
			onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
				gap := scenario.Crash(s, after, standbys)
				require.Positive(t, gap)
				require.LessOrEqual(t, gap, 15500*time.Millisecond)
			})
		}
	}
}

func TestSteadyLoad(t *testing.T) {
	for _, n := range []int{1, 3, 20} {
		synctest.Test(t, func(t *testing.T) {
			s := scenario.New(scenario.Options{}, hotseat(t))
			defer s.Close()
			for i := range n {
				s.StartNamed(fmt.Sprintf("n%d", i))
			}
			time.Sleep(10 * time.Second)
			s.ForgetRequests()
			time.Sleep(4 * time.Minute) // less than a watch lasts
			require.LessOrEqual(t, s.CountRequests("", "update", "patch"), 121)
			require.Equal(t, s.CountRequests("", "update", "patch"), s.CountRequests(""), "standbys ask nothing")
		})
	}
}
