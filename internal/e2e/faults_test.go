//go:build unix

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/e2e/trial"
)

// TestFaults plays every scenario with real processes, prints a table, and
// demands that each audit holds. With -short it plays some.
func TestFaults(t *testing.T) {
	table := &trial.Table{}
	defer func() {
		publish(section{title: "One API server on one etcd", table: table})
	}()
	place := 0
	play := func(t *testing.T, scenarios []scenario, play func(*testing.T, scenario, int)) {
		for _, s := range scenarios {
			place++
			at := place
			t.Run(s.name, func(t *testing.T) {
				if testing.Short() && !s.short {
					t.Skip("not part of the short run")
				}
				play(t, s, at)
			})
		}
	}
	t.Run("whole", func(t *testing.T) { // the control plane stays so
		c := sharedCluster(t)
		noteStore(c)
		play(t, slices.Concat(processFaults(), workFaults(), wireFaults(), leaseFaults()), func(t *testing.T, s scenario, place int) {
			t.Parallel()
			s.run(t, c, place, table)
		})
	})
	t.Run("broken", func(t *testing.T) {
		if testing.Short() {
			t.Skip("not part of the short run")
		}
		c := ownCluster(t)
		play(t, slices.Concat(serverFaults(), restoreFaults()), func(t *testing.T, s scenario, place int) {
			s.run(t, c, place, table)
		})
	})
}

// processFaults are done to a replica's process.
func processFaults() []scenario {
	return []scenario{
		{name: "SIGKILL of the active", play: kill, short: true},
		{
			name: "SIGSTOP past the lease, SIGCONT", play: freeze, short: true,
			limits: func(x *trial.Limits) { x.Stale = true },
		},
		{ // the control: without its guard, the ledger takes a stale write
			name: "the same without a guard", play: freeze, short: true, unguarded: true,
			limits:  func(x *trial.Limits) { x.Stale = true },
			control: "accepted after token",
		},
		{
			name: "SIGTERM, drain of 4 s", play: drain, short: true,
			spec: func(s *trial.Spec) { s.Drain = 4 * time.Second },
			limits: func(x *trial.Limits) {
				x.Released = true
				x.Back = 500 * time.Millisecond // with the noise still sooner than the lease runs out
			},
		},
	}
}

func kill(l *lab) {
	a := l.active()
	from := l.strike("SIGKILL", a)
	a.Kill()
	l.newTerm(from)
	l.rest(settled)
	l.start(a.Name, nil)
}

func freeze(l *lab) {
	a := l.active()
	from := l.journal.Len()
	require.NoError(l.t, a.Freeze())
	froze := l.of(a, from, trial.Frozen)
	l.journal.Add(trial.Event{At: froze.At, Kind: trial.Fault, Text: "the freeze", Replica: a.Name, PID: a.PID})
	l.journal.Add(trial.Event{At: froze.At, Kind: trial.Over})
	l.newTerm(from)
	l.rest(settled)
	from = l.journal.Len()
	require.NoError(l.t, a.Thaw())
	// Whether the write was refused is for the audit to judge.
	l.of(a, from, trial.Refused, trial.Written, trial.Unanswered)
	l.of(a, from, trial.Ended)
}

func drain(l *lab) {
	a := l.active()
	from := l.journal.Len()
	require.NoError(l.t, a.Terminate())
	ended := l.of(a, from, trial.Ended)
	l.journal.Add(trial.Event{At: ended.At, Kind: trial.Fault, Text: "the drain", Replica: a.Name, PID: a.PID})
	l.journal.Add(trial.Event{At: ended.At, Kind: trial.Over})
	l.newTerm(from)
	l.of(a, from, trial.Exited)
	l.start(a.Name, nil)
}

// wireFaults are done to the wire of the active.
func wireFaults() []scenario {
	const late = 1500 * time.Millisecond
	// What was sent before validity ended may arrive that much later.
	lately := func(x *trial.Limits) { x.Back += timing().RenewDeadline + late }
	return []scenario{
		{name: "partition of the active", short: true, play: func(l *lab) {
			a := l.active()
			from := l.strike("the partition", a)
			a.wire.Cut()
			l.newTerm(from)
			l.rest(settled)
			require.NoError(l.t, a.wire.Mend())
		}},
		{name: "black hole after a renewal", play: func(l *lab) {
			a := l.active()
			l.renewal()
			l.impair(a, "the black hole", a.wire.BlackHole)
		}},
		{name: fmt.Sprintf("everything %v late, both ways", late), limits: lately, play: func(l *lab) {
			a := l.active()
			l.impair(a, "the delay", func() error { return a.wire.Delay(late) })
		}},
		{name: fmt.Sprintf("answers %v late", late), limits: lately, play: func(l *lab) {
			a := l.active()
			l.impair(a, "the delay", func() error { return a.wire.AnswerLate(late) })
		}},
	}
}

// impair has the active's wire fail until after another one is active.
func (l *lab) impair(a *candidate, what string, fail func() error) {
	from := l.strike(what, a)
	require.NoError(l.t, fail())
	l.newTerm(from)
	l.rest(settled)
	a.wire.Heal()
	l.rest(timing().LeaseDuration) // what was on its way arrives
}
