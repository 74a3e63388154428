package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/scenario"
)

// faults are the rows of the table that need neither a Pod nor a process of its
// own (for those see freeze.go).
func faults() []fault {
	const sec = time.Second
	return []fault{
		answeredLate(4900*time.Millisecond, 5*sec, false),
		answeredLate(9500*time.Millisecond, 0, false),
		answeredLate(9500*time.Millisecond, 0, true),
		partitioned(5 * sec),
		partitioned(0),
		acquiredLate(16 * sec),
		acquiredLate(30 * sec),
		leaseDeleted(),
		otherHolder(),
		otherHolderForAWhile(),
		healed(16*sec, 5*sec),
		healed(18*sec, 0),
		stoppedWithDrain(),
		workReturns(),
		oneIdentity(),
		transitionsAtMax(),
		tokenOfNextTerm(),
	}
}

func answeredLate(late, timeout time.Duration, release bool) fault {
	return fault{
		name:    fmt.Sprintf("last renewal answered %s late, then API lost%s", seconds(late), settings(timeout, release)),
		options: scenario.Options{ClientTimeout: timeout, Release: release},
		script:  func(s *scenario.Stage) { scenario.CutAfterLateAnswer(s, late) },
		tell:    tellOverlap,
	}
}

func partitioned(timeout time.Duration) fault {
	f := answeredLate(0, timeout, true)
	f.name = "partition right after a prompt renewal" + settings(timeout, true)
	return f
}

func acquiredLate(late time.Duration) fault {
	return fault{
		name:   fmt.Sprintf("acquire answered %s late", seconds(late)),
		script: func(s *scenario.Stage) { scenario.LateAcquire(s, late) },
		tell: func(saw *seen) string {
			b, c := saw.of("b"), saw.of("c")
			if len(b) == 0 || len(c) == 0 {
				return "never starts on it; " + tellOverlap(saw)
			}
			return fmt.Sprintf("starts %s after its successor; %s", seconds(b[0].Started.Sub(c[0].Started)), tellOverlap(saw))
		},
	}
}

func leaseDeleted() fault {
	return fault{
		name:   "Lease deleted under a live leader",
		script: scenario.LeaseDeleted,
		tell: func(saw *seen) string {
			before, after := saw.around(func(c commit) bool { return c.leaseDeleted })
			return fmt.Sprintf("%s; leaseTransitions %d -> %d; %s", tellOverlap(saw), before.transitions, after.transitions, tellTokens(saw))
		},
	}
}

func otherHolder() fault {
	return fault{
		name: "another holder seen in the record",
		script: func(s *scenario.Stage) {
			leadFor(s, 3*time.Second)
			scenario.SetHolder(s, "intruder")
			time.Sleep(14 * time.Second) // the intruder's lease runs on
		},
		tell: tellToldAfterEdit,
	}
}

func otherHolderForAWhile() fault {
	return fault{
		name:   "another holder seen in the record, gone after 4 s",
		script: scenario.TakenAndReleased,
		tell:   func(saw *seen) string { return tellToldAfterEdit(saw) + "; " + tellTerms(saw) },
	}
}

func healed(after, timeout time.Duration) fault {
	return fault{
		name:    fmt.Sprintf("partition heals after %s%s", seconds(after), settings(timeout, true)),
		options: scenario.Options{ClientTimeout: timeout, Release: true},
		script: func(s *scenario.Stage) {
			// A replica that comes up just when the Lease is cleared takes it
			// before b, which renews often here, can take it back unnoticed.
			var once sync.Once
			s.OnWrite(func(w apiserver.Write) {
				if before, now := w.Leases(); w.User == "a" && holder(before) == "b" && holder(now) == "" {
					once.Do(func() { s.StartNamed("d") })
				}
			})
			scenario.HealingPartition(s, after)
		},
		tell: func(saw *seen) string {
			if saw.release("a").from == "b" {
				return "clears its successor's Lease; " + tellOverlap(saw)
			}
			return "leaves it alone; " + tellOverlap(saw)
		},
	}
}

func stoppedWithDrain() fault {
	return fault{
		name:    "graceful stop, work drains for 3 s",
		options: scenario.Options{Release: true},
		script:  scenario.Drain,
		tell: func(saw *seen) string {
			early := saw.of("a")[0].Return.Sub(saw.release("a").at)
			if early > 0 {
				return fmt.Sprintf("released %s before the work returned", seconds(early))
			}
			return fmt.Sprintf("released %s after the work returned", seconds(-early))
		},
	}
}

var errWork = errors.New("work failed")

func workReturns() fault {
	return fault{
		name:    "work returns by itself",
		options: scenario.Options{Release: true},
		script: func(s *scenario.Stage) {
			s.Start(&scenario.Candidate{Name: "a", Err: errWork})
			time.Sleep(time.Minute)
		},
		tell: func(saw *seen) string {
			if holder(saw.Lease) == "" {
				return "released at once, its error returned"
			}
			return fmt.Sprintf("renewed %d times in the minute after", saw.renewals("a"))
		},
	}
}

func oneIdentity() fault {
	return fault{
		name: "two processes, one identity", script: scenario.SameIdentity,
		tell: func(saw *seen) string {
			if saw.Contexts > 0 {
				return fmt.Sprintf("both lead, for all of the %s watched", seconds(saw.Contexts))
			}
			return fmt.Sprintf("%d of 2 leads", len(saw.Terms))
		},
	}
}

func transitionsAtMax() fault {
	return fault{
		name: "leaseTransitions = MaxInt32", script: scenario.TransitionsAtMax,
		tell: func(saw *seen) string {
			if len(saw.Terms) == 0 {
				return "nobody can lead"
			}
			return "acquires"
		},
	}
}

// tokenOfNextTerm: a is cut off for 13 s, so that its term ends, and comes back
// to a Lease nobody else took.
func tokenOfNextTerm() fault {
	return fault{
		name: "token of the next term after an outage of 13 s", rerun: true,
		options: scenario.Options{ClientTimeout: 5 * time.Second},
		script: func(s *scenario.Stage) {
			leadFor(s, 3*time.Second)
			scenario.Edit(s, func(l *coordv1.Lease) { l.Labels = map[string]string{"team": "shop"} })
			s.Link("a").Cut()
			time.Sleep(13 * time.Second)
			s.Link("a").Heal()
			time.Sleep(time.Minute)
		},
		tell: func(saw *seen) string { return tellTerms(saw) + ", " + tellTokens(saw) },
	}
}

// leadFor has a lead for that long.
func leadFor(s *scenario.Stage, d time.Duration) {
	s.StartNamed("a")
	s.WaitTerms("a", 1, time.Minute)
	time.Sleep(d)
}
