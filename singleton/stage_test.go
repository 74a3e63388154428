package singleton_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/scenario"
	"github.com/hotseat-go/hotseat/singleton"
)

// quiet is where electors under test log to; HOTSEAT_LOG=1 shows it.
func quiet() *slog.Logger {
	if os.Getenv("HOTSEAT_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// hotseat plays a scenario's candidate, with a watch of its own.
func hotseat(t *testing.T) scenario.StartFunc { return candidate(t, false) }

// sharing plays it as one of a process whose electors share a watch.
func sharing(t *testing.T) scenario.StartFunc { return candidate(t, true) }

// candidate asserts: a stage runs its candidates on goroutines of their own.
func candidate(t *testing.T, share bool) scenario.StartFunc {
	return func(ctx context.Context, s *scenario.Stage, c *scenario.Candidate) {
		client, err := singleton.NewClient(s.Config(c))
		if err != nil {
			t.Error(err)
			return
		}
		config := singleton.Config{
			Name: scenario.Lease, Namespace: scenario.Namespace, Replica: singleton.ReplicaConfig{Identity: c.Identity}, Logger: quiet().With("me", c.Name),
		}
		if share {
			config.Replica.SharedWatch = singleton.NewSharedWatch(client, scenario.Namespace, config.Logger)
		}
		elector, err := singleton.New(client, config)
		if err != nil {
			t.Error(err)
			return
		}
		err = elector.Run(ctx, func(ctx context.Context, term *singleton.Term) error {
			return c.Work(ctx, term.Token().Epoch)
		})
		if c.Err != nil {
			assert.ErrorIs(t, err, c.Err)
		} else {
			assert.NoError(t, err)
		}
	}
}

// onStage plays a script with hotseat's electors in a bubble, then checks what
// must hold after every script: no two at work, tokens growing, nobody's record
// overwritten by another's release.
func onStage(t *testing.T, o scenario.Options, script func(t *testing.T, s *scenario.Stage)) {
	t.Helper()
	play(t, o, func(t *testing.T, s *scenario.Stage) {
		script(t, s)
		s.Close()
		require.True(t, s.TokensGrow(), "tokens must grow: %+v", s.Terms())
	})
}

// onRestoredStage leaves tokens out where the store may go back without a bump:
// without a floor or a guard to raise above, nothing stored there can be strict.
func onRestoredStage(t *testing.T, tokensMayRepeat bool, script func(t *testing.T, s *scenario.Stage)) {
	t.Helper()
	play(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		script(t, s)
		s.Close()
		require.True(t, tokensMayRepeat || s.TokensGrow(), "tokens must grow: %+v", s.Terms())
	})
}

func play(t *testing.T, o scenario.Options, script func(t *testing.T, s *scenario.Stage)) {
	t.Helper()
	playWith(t, o, hotseat, script)
	if playsShared(t) {
		t.Run("shared watch", func(t *testing.T) { playWith(t, o, sharing, script) })
	}
}

func playWith(t *testing.T, o scenario.Options, fleet func(*testing.T) scenario.StartFunc, script func(t *testing.T, s *scenario.Stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := scenario.New(o, fleet(t))
		defer s.Close()
		writes := recordWrites(s)
		script(t, s)
		require.Zero(t, s.Overlap(true), "two at work: %+v", s.Terms())
		writes.check(t)
	})
}
