//go:build unix

package e2e

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/e2e/trial"
	"github.com/hotseat-go/hotseat/singleton"
)

// workFaults are done to the active's work. Its process is well.
func workFaults() []scenario {
	const within = 2 * time.Second
	return []scenario{{
		name: "work hangs, and reports no progress for 2 s", play: hang, short: true,
		spec: func(s *trial.Spec) { s.Progress = within },
		limits: func(x *trial.Limits) {
			x.Back, x.Released = within+500*time.Millisecond, true
		},
	}}
}

func hang(l *lab) {
	a := l.active()
	from := l.journal.Len()
	require.NoError(l.t, a.Hang())
	hung := l.of(a, from, trial.Hung)
	l.journal.Add(trial.Event{At: hung.At, Kind: trial.Fault, Text: "the hang", Replica: a.Name, PID: a.PID})
	l.journal.Add(trial.Event{At: hung.At, Kind: trial.Over})
	next := l.newTerm(from)
	require.NotEqual(l.t, a.Name, next.Replica, "it lets others go first")
	require.Contains(l.t, l.of(a, from, trial.Ended).Text, string(singleton.ReasonStalled))
}
