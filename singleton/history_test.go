package singleton_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// told is what a history says, but for tokens, one term a line: the holder, whether the term was
// joined or the replica's own, from when to when, and why it ended. Times are since the bubble began.
func told(tb require.TestingT, began time.Time, terms []singleton.SeenTerm) (lines []string) {
	return toldBy(tb, second, began, terms)
}

// toldBy is told with times that are rounded down.
func toldBy(tb require.TestingT, unit time.Duration, began time.Time, terms []singleton.SeenTerm) (lines []string) {
	at := func(t time.Time) time.Duration {
		return (t.Sub(began) + 10*time.Millisecond).Truncate(unit) / second
	}
	for _, t := range terms {
		if t.Own || t.End.IsZero() {
			require.Zero(tb, t.Renewed)
		} else {
			require.False(tb, t.Renewed.Before(t.Start) || t.Renewed.After(t.End), "%v", t)
		}
		line := t.Holder[:1]
		if t.Own {
			line += " own"
		}
		if t.Joined {
			line += " joined"
		}
		line += fmt.Sprintf(" %d", at(t.Start))
		if !t.End.IsZero() {
			line += fmt.Sprintf("-%d %s", at(t.End), t.Reason)
		} else if t.Reason != "" {
			line += " BUT " + string(t.Reason)
		}
		lines = append(lines, line)
	}
	return lines
}

// What becomes of the term of a, in the eyes of a and of the standby b.
func TestHistoryOfATerm(t *testing.T) {
	intruder := "intruder"
	for name, c := range map[string]struct {
		end  func(l lab, a *singleton.Elector, run *running)
		a, b []string // what each remembers 14 s later, newest first
	}{
		"it lasts": {
			end: func(lab, *singleton.Elector, *running) {},
			a:   []string{"a own 0"}, b: []string{"a joined 0"},
		},
		"handover": {
			end: func(_ lab, a *singleton.Elector, _ *running) { a.Resign() },
			a:   []string{"b 10", "a own 0-10 resigned"}, b: []string{"b own 10", "a joined 0-10 released"},
		},
		"shutdown": {
			end: func(_ lab, _ *singleton.Elector, run *running) { run.stop() },
			a:   []string{"a own 0-10 shutdown"}, b: []string{"b own 10", "a joined 0-10 released"},
		},
		"crash": { // its last renewal was at 10 s, or was on its way
			end: func(l lab, _ *singleton.Elector, _ *running) { l.Link("a").BlackHole() },
			a:   []string{"a own 0-18 expired"}, b: []string{"b own 23", "a joined 0-23 expired"},
		},
		"deletion": {
			end: func(l lab, _ *singleton.Elector, _ *running) { l.DeleteLease("shop", "invoicer") },
			a:   []string{"a own 10", "a own 0-10 deleted"}, b: []string{"a 10", "a joined 0-10 deleted"},
		},
		"cleared": {
			end: func(l lab, _ *singleton.Elector, _ *running) {
				l.edit(func(o *coordv1.Lease) { o.Spec.HolderIdentity = nil })
			},
			a: []string{"a own 10", "a own 0-10 cleared"}, b: []string{"a 10", "a joined 0-10 cleared"},
		},
		"taken": {
			end: func(l lab, _ *singleton.Elector, _ *running) {
				l.edit(func(o *coordv1.Lease) { o.Spec.HolderIdentity = &intruder })
			},
			a: []string{"i 10", "a own 0-10 taken"}, b: []string{"i 10", "a joined 0-10 taken"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				began := time.Now()
				a, b := l.elector("a"), l.elector("b")
				run := l.run(a, idle)
				l.run(b, idle)
				sleep(10*second - time.Millisecond)
				c.end(l, a, run)
				sleep(14 * second)
				require.Equal(l, c.a, told(l, began, a.History()))
				require.Equal(l, c.b, told(l, began, b.History()))
				if name == "crash" {
					renewed := b.History()[1].Renewed.Sub(began)
					require.InDelta(l, 8, renewed.Seconds(), 0.1, "the last one that b saw")
				}
				if name != "taken" { // by one that writes no token
					requireTokens(l, a, b)
				}
			})
		})
	}
}

// requireTokens: both remember the same tokens of the terms that both saw, and each the current
// one.
func requireTokens(l lab, electors ...*singleton.Elector) {
	terms := map[string]fencing.Token{}
	for _, e := range electors {
		for i, seen := range e.History() {
			require.NoError(l, seen.Token.Validate())
			if was, ok := terms[seen.Token.Term]; ok {
				require.Equal(l, was, seen.Token)
			}
			terms[seen.Token.Term] = seen.Token
			if token := e.Status().Holder.Token; i == 0 && !token.IsZero() {
				require.Equal(l, token, seen.Token)
			}
		}
	}
}

// A replica that has proof of the holder's death remembers that.
func TestHistoryOfAProvenDeath(t *testing.T) {
	inLab(t, func(l lab) {
		began := time.Now()
		m := newMorgue()
		l.run(l.elector("a", m.by("a")), idle)
		b := l.elector("b", m.by("b"))
		l.run(b, idle)
		sleep(9 * second)
		l.Link("a").BlackHole()
		sleep(second)
		m.kill("a")
		sleep(second)
		require.Equal(l, []string{"b own 10", "a joined 0-10 dead"}, told(l, began, b.History()))
	})
}

// A replica that was cut off does not know why a term ended, unless the Lease says so, nor when the
// next one began. It looks again soon after 20 s.
func TestHistoryWithoutWatching(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(l lab, a, b *singleton.Elector)
		want      []string
	}{
		"nothing happened": {
			meanwhile: func(lab, *singleton.Elector, *singleton.Elector) {},
			want:      []string{"a joined 0"},
		},
		"released": {
			meanwhile: func(_ lab, a, _ *singleton.Elector) { a.Resign() },
			want:      []string{"a joined 0-20 released"},
		},
		"handed over": {
			meanwhile: func(_ lab, a, b *singleton.Elector) { b.SetEligible(true); a.Resign() },
			want:      []string{"b joined 20", "a joined 0-20 unseen"},
		},
		"released by another one since": {
			meanwhile: func(_ lab, a, b *singleton.Elector) {
				b.SetEligible(true)
				a.Resign()
				sleep(5 * second)
				b.SetEligible(false)
				b.Resign()
			},
			want: []string{"a joined 0-20 unseen"},
		},
		"deleted": {
			meanwhile: func(l lab, _, _ *singleton.Elector) { l.DeleteLease("shop", "invoicer") },
			want:      []string{"a joined 0-20 deleted"},
		},
		"created again": {
			meanwhile: func(l lab, _, _ *singleton.Elector) {
				l.DeleteLease("shop", "invoicer")
				_, err := l.CreateLease(newLease())
				require.NoError(l, err)
			},
			want: []string{"a joined 0-20 replaced"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				began := time.Now()
				a, b, observer := l.elector("a"), l.elector("b"), l.elector("c")
				l.run(a, idle)
				b.SetEligible(false)
				observer.SetEligible(false)
				l.run(b, idle)
				l.run(observer, idle)
				sleep(10 * second)
				l.Link("c").Cut()
				if name != "nothing happened" {
					a.SetEligible(false)
				}
				c.meanwhile(l, a, b)
				sleep(10 * second)
				l.Link("c").Heal()
				sleep(4 * second)
				require.Equal(l, c.want, toldBy(l, 10*second, began, observer.History()))
			})
		})
	}
}

// A put back record of an earlier term is no new term.
func TestHistoryOfARecordPutBack(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.start("a")
		sleep(5 * second)
		former := w.Lease("shop", "invoicer")
		observer := w.observe("c")
		b := w.start("b")
		sleep(5 * second)
		a.Resign()
		sleep(10 * second)
		require.True(w, b.IsActive())
		w.putBack(former)
		sleep(time.Millisecond)
		require.Equal(w, []string{"b 10-20 taken", "a joined 5-10 released"},
			told(w, w.began, observer.History()))
	})
}

// Lease is the Lease as last read. It is kept current by renewals, and is none when there is none.
func TestLeaseAsLastRead(t *testing.T) {
	inLab(t, func(l lab) {
		a, b := l.elector("a"), l.elector("b")
		require.False(l, b.Lease().Exists())
		l.run(a, idle)
		l.run(b, idle)
		for range 3 {
			sleep(2 * second)
			for _, e := range []*singleton.Elector{a, b} {
				require.Equal(l, l.record().Lease(), e.Lease().Lease())
			}
		}
		a.SetEligible(false)
		b.SetEligible(false)
		l.DeleteLease("shop", "invoicer")
		sleep(second)
		require.False(l, b.Lease().Exists())
		require.True(l, b.Status().Missing)
	})
}

// A replica remembers ten terms, and goes on when Run is called again. What somebody does with the
// slice changes nothing.
func TestHistoryIsBounded(t *testing.T) {
	inLab(t, func(l lab) {
		a, b := l.elector("a"), l.elector("b")
		l.run(a, idle)
		l.run(b, idle)
		for range 12 {
			sleep(10 * second)
			a.Resign()
			b.Resign()
		}
		sleep(second)
		for _, e := range []*singleton.Elector{a, b} {
			history := e.History()
			require.Len(l, history, 10)
			for i, seen := range history {
				require.Equal(l, i%2 == 0, seen.Own == e.IsActive())
				require.Equal(l, i == 0, seen.End.IsZero())
				if i > 0 {
					require.False(l, seen.End.After(history[i-1].Start))
					require.Less(l, seen.Token.Epoch, history[i-1].Token.Epoch)
				}
			}
			history[0].Holder = "changed"
			require.NotEqual(l, history[0], e.History()[0])
		}
		requireTokens(l, a, b)
	})
}

// The next Run of a process goes on with what it knew. A new process begins with nothing.
func TestHistoryAfterARestart(t *testing.T) {
	inLab(t, func(l lab) {
		began := time.Now()
		a, b := l.elector("a"), l.elector("b")
		run := l.run(a, idle)
		require.Empty(l, b.History())
		sleep(10 * second)
		run.stop()
		require.NoError(l, run.wait(l))
		l.run(b, idle)
		sleep(10 * second)
		require.Equal(l, []string{"a own 0-10 shutdown"}, told(l, began, a.History()))
		l.run(a, idle)
		anew := l.elector("a")
		l.run(anew, idle)
		require.Equal(l, []string{"b joined 20", "a own 0-10 shutdown"}, told(l, began, a.History()))
		require.Equal(l, []string{"b joined 20"}, told(l, began, anew.History()))
	})
}

// A term whose epoch was raised stays one term, with its last token. An epoch that was raised by
// hand ends the term.
func TestHistoryOfARaisedEpoch(t *testing.T) {
	inLab(t, func(l lab) {
		began := time.Now()
		a, b := l.elector("a", mayRaise), l.elector("b")
		_, term := l.work(a)
		l.run(b, idle)
		sleep(10 * second)
		require.NoError(l, term.Raise(l.Context(), 1000))
		sleep(second)
		require.Equal(l, []string{"a own 0"}, told(l, began, a.History()))
		require.Equal(l, []string{"a joined 0"}, told(l, began, b.History()))
		requireTokens(l, a, b)
		require.EqualValues(l, 1001, b.History()[0].Token.Epoch)
		sleep(9 * second)
		l.edit(func(o *coordv1.Lease) { o.Annotations[lease.AnnotationEpoch] = "2000" })
		sleep(second)
		require.Equal(l, "a own 0-20 fenced", told(l, began, a.History())[1])
		require.EqualValues(l, 1001, a.History()[1].Token.Epoch, "the guards knew no other one")
		require.Equal(l, []string{"b own 20", "a joined 0-20 released"}, told(l, began, b.History()))
	})
}

// client-go's elector writes no token. Its terms are told apart by their acquireTime.
func TestHistoryBesideClientGo(t *testing.T) {
	inWorld(t, func(w *world) {
		e := w.observe("e")
		stop := w.clientGo("x", true)
		sleep(10 * second)
		stop()
		sleep(10 * second)
		w.clientGo("x", true)
		sleep(10 * second)
		require.Equal(w, []string{"x 20", "x 0-10 released"}, told(w, w.began, e.History()))
		require.Zero(w, e.History()[0].Token)
	})
}
