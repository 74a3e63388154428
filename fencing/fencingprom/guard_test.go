package fencingprom_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/fencingprom"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

func token(epoch int64) fencing.Token { return guardtest.Token(epoch, 0) }

func tracker(t testing.TB, cfg fencingprom.Config) *fencingprom.Tracker {
	t.Helper()
	m, err := fencing.NewMemory(fencing.MemoryConfig{Drain: time.Minute})
	require.NoError(t, err)
	cfg.Name = "ledger"
	g, err := fencingprom.NewTracker(m, cfg)
	require.NoError(t, err)
	return g
}

func gather(t testing.TB, all ...prometheus.Collector) []*dto.MetricFamily {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	for _, c := range all {
		require.NoError(t, registry.Register(c))
	}
	families, err := registry.Gather()
	require.NoError(t, err)
	return families
}

// samples are all values but those of buckets, by name and labels beside guard.
func samples(t testing.TB, c prometheus.Collector) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for _, family := range gather(t, c) {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				if label.GetName() == "guard" {
					require.Equal(t, "ledger", label.GetValue())
					continue
				}
				name += " " + label.GetValue()
			}
			switch {
			case m.GetCounter() != nil:
				all[name] = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				all[name] = m.GetGauge().GetValue()
			default:
				all[name+" count"] = float64(m.GetHistogram().GetSampleCount())
				all[name+" sum"] = m.GetHistogram().GetSampleSum()
			}
		}
	}
	return all
}

// scripted is a guard that answers err.
type scripted struct {
	fencing.Tracker
	err error
}

func (s scripted) Announce(context.Context, fencing.Token) error { return s.err }
func (s scripted) Check(context.Context, fencing.Token) error    { return s.err }

func (s scripted) Enter(ctx context.Context, _ fencing.Token) (context.Context, func(), error) {
	if s.err != nil {
		return nil, nil, s.err
	}
	return ctx, func() {}, nil
}

func TestResults(t *testing.T) {
	for result, c := range map[string]struct {
		token fencing.Token
		err   error
	}{
		"ok":          {token(7), nil},
		"unfenced":    {fencing.Token{}, nil},
		"stale":       {token(7), fmt.Errorf("x: %w", &fencing.StaleError{Presented: token(7), Mark: token(9)})},
		"conflict":    {token(7), &fencing.ConflictError{Presented: token(7), Mark: guardtest.Token(7, 1)}},
		"missing":     {fencing.Token{}, fencing.ErrMissing},
		"malformed":   {token(-1), fencing.ErrMalformed},
		"scope":       {token(7), fencing.ErrScope},
		"wiring":      {token(7), fmt.Errorf("%w: 404 Not Found", fencing.ErrWiring)},
		"unavailable": {token(7), fmt.Errorf("%w: %w", fencing.ErrUnavailable, context.Canceled)},
		"other":       {token(7), context.Canceled},
	} {
		t.Run(result, func(t *testing.T) {
			g, err := fencingprom.NewTracker(scripted{err: c.err}, fencingprom.Config{Name: "ledger"})
			require.NoError(t, err)
			require.Equal(t, c.err, g.Announce(t.Context(), c.token), "passed on")
			require.Equal(t, c.err, g.Check(t.Context(), c.token))
			_, leave, err := g.Enter(t.Context(), c.token)
			require.Equal(t, c.err, err)
			require.Equal(t, c.err == nil, leave != nil)

			seen := samples(t, g)
			require.InDelta(t, 2, seen["hotseat_guard_checks_total "+result], 0)
			require.InDelta(t, 1, seen["hotseat_guard_announcements_total "+result], 0)
			total := 0.0
			for name, value := range seen {
				if strings.HasPrefix(name, "hotseat_guard_checks_total ") {
					total += value
				}
			}
			require.InDelta(t, 2, total, 0, "each once")
		})
	}
}

// A measured guard is still that guard.
func TestMeasuredGuardIsAGuard(t *testing.T) {
	t.Parallel()
	suite := guardtest.Suite{AnyScope: true, New: func(t testing.TB) guardtest.Subject {
		return guardtest.NewRegister(tracker(t, fencingprom.Config{}))
	}}
	t.Run("Conformance", suite.Conformance)
	t.Run("Linearizable", func(t *testing.T) { suite.Linearizable(t, guardtest.Load{Rounds: 3}) })
}

func TestMarksAndLag(t *testing.T) {
	g := tracker(t, fencingprom.Config{})
	const mark = "hotseat_guard_mark_epoch " + guardtest.Scope
	require.NotContains(t, samples(t, g), mark, "unknown is not zero")
	require.NoError(t, g.Announce(t.Context(), token(7)))
	require.NoError(t, g.Check(t.Context(), token(1000)))
	require.ErrorIs(t, g.Check(t.Context(), token(7)), fencing.ErrStale)
	require.ErrorIs(t, g.Announce(t.Context(), token(999)), fencing.ErrStale)
	seen := samples(t, g)
	require.InDelta(t, 1000, seen[mark], 0)
	require.InDelta(t, 2, seen["hotseat_guard_stale_lag_epochs count"], 0)
	require.InDelta(t, 993+1, seen["hotseat_guard_stale_lag_epochs sum"], 0)

	behind, err := fencingprom.New(scripted{err: &fencing.StaleError{Presented: token(1), Mark: token(50)}}, fencingprom.Config{Name: "ledger"})
	require.NoError(t, err)
	require.Error(t, behind.Announce(t.Context(), token(1)))
	require.InDelta(t, 50, samples(t, behind)[mark], 0, "a refusal tells the mark too")
}

func TestAnnounceTimeIncludesTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := tracker(t, fencingprom.Config{})
		_, leave, err := g.Enter(t.Context(), token(1))
		require.NoError(t, err)
		time.AfterFunc(3*time.Second, leave)
		require.NoError(t, g.Announce(t.Context(), token(2)))
		seen := samples(t, g)
		require.InDelta(t, 1, seen["hotseat_guard_announcement_duration_seconds count"], 0)
		require.InDelta(t, 3, seen["hotseat_guard_announcement_duration_seconds sum"], 1e-9)
	})
}

// However many scopes are presented, series are bounded, and none is of a scope that was never admitted.
func TestScopesAreBounded(t *testing.T) {
	for name, c := range map[string]struct{ config, want int }{"default": {0, 100}, "configured": {3, 3}} {
		t.Run(name, func(t *testing.T) {
			g := tracker(t, fencingprom.Config{Scopes: c.config})
			for i := range 300 {
				tok := token(int64(i + 1))
				tok.Scope = fmt.Sprintf("shop/l%d", i)
				require.NoError(t, g.Check(t.Context(), tok))
				tok.Term = "damaged"
				require.Error(t, g.Check(t.Context(), tok))
			}
			marks, epochs := 0, 0.0
			for name, value := range samples(t, g) {
				if strings.HasPrefix(name, "hotseat_guard_mark_epoch ") {
					marks++
					epochs += value
				}
			}
			require.Equal(t, c.want, marks)
			require.InDelta(t, c.want*(c.want+1)/2, epochs, 0, "the first ones")
		})
	}
}

func TestNames(t *testing.T) {
	g := tracker(t, fencingprom.Config{})
	require.NoError(t, g.Check(t.Context(), token(1)))
	other, err := fencingprom.New(scripted{}, fencingprom.Config{Name: "other"})
	require.NoError(t, err)
	families := gather(t, g, other)
	require.Len(t, families, 5)
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)

	registry := prometheus.NewRegistry()
	require.NoError(t, registry.Register(g))
	require.Error(t, registry.Register(tracker(t, fencingprom.Config{})), "the same name twice is a mistake")
}

func TestConfigIsChecked(t *testing.T) {
	_, err := fencingprom.New(nil, fencingprom.Config{Name: "x"})
	require.ErrorContains(t, err, "guard is nil")
	_, err = fencingprom.NewTracker(nil, fencingprom.Config{Name: "x"})
	require.ErrorContains(t, err, "guard is nil")
	_, err = fencingprom.New(scripted{}, fencingprom.Config{})
	require.ErrorContains(t, err, "Config.Name is empty")
	_, err = fencingprom.NewTracker(scripted{}, fencingprom.Config{Name: "x", Scopes: -1})
	require.ErrorContains(t, err, "Config.Scopes is -1")
}

func TestUnfencedIsCounted(t *testing.T) {
	g := tracker(t, fencingprom.Config{})
	require.NoError(t, g.Check(fencing.AllowUnfenced(t.Context(), "migration"), fencing.Token{}))
	require.ErrorIs(t, g.Check(t.Context(), fencing.Token{}), fencing.ErrMissing)
	seen := samples(t, g)
	require.InDelta(t, 1, seen["hotseat_guard_checks_total unfenced"], 0)
	require.InDelta(t, 1, seen["hotseat_guard_checks_total missing"], 0)
}

// What passes a guard's own doors is counted where it is told.
func TestObserve(t *testing.T) {
	g := tracker(t, fencingprom.Config{})
	stale := &fencing.StaleError{Presented: token(2), Mark: token(5)}
	failed := errors.New("the effect's own")
	require.NoError(t, g.Observe(token(5), nil))
	require.NoError(t, g.Observe(fencing.Token{}, nil))
	require.Equal(t, error(stale), g.Observe(token(2), stale))
	require.Equal(t, failed, g.Observe(token(5), failed))
	got := samples(t, g)
	for result, want := range map[string]float64{"ok": 1, "unfenced": 1, "stale": 1, "other": 1, "missing": 0} {
		require.Equal(t, want, got["hotseat_guard_checks_total "+result], result)
	}
	require.Equal(t, 5.0, got["hotseat_guard_mark_epoch "+guardtest.Scope])
	require.Equal(t, 3.0, got["hotseat_guard_stale_lag_epochs sum"])
}

func BenchmarkCheck(b *testing.B) {
	g := tracker(b, fencingprom.Config{})
	b.ReportAllocs()
	ctx, tok := b.Context(), token(42)
	for b.Loop() {
		if err := g.Check(ctx, tok); err != nil {
			b.Fatal(err)
		}
	}
}
