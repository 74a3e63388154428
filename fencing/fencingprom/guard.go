package fencingprom

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hotseat-go/hotseat/fencing"
)

// Config of a [Guard].
type Config struct {
	// Name is the value of the label guard. Each guard in a process needs its own. Required.
	Name string
	// Scopes bounds the series of hotseat_guard_mark_epoch. Default 100; negative is an error.
	Scopes int
}

// Guard is a [fencing.Guard] that is measured, and the collector of its metrics. Its methods are
// safe for concurrent use. It passes calls, contexts and errors on unchanged.
type Guard struct {
	guard  fencing.Guard
	scopes int

	checks, announced *prometheus.CounterVec
	took, lag         prometheus.Histogram
	epoch             *prometheus.Desc

	mu    sync.Mutex
	marks map[string]int64 // by scope
}

// Tracker is a [Guard] around a guard that also tracks work in flight. It counts Check and Enter by
// itself.
type Tracker struct {
	*Guard
	tracker fencing.Tracker
}

var (
	_ fencing.Guard        = (*Guard)(nil)
	_ fencing.Tracker      = (*Tracker)(nil)
	_ prometheus.Collector = (*Tracker)(nil)
)

// New returns guard with metrics. It fails if guard is nil, or if cfg breaks a rule of [Config].
func New(guard fencing.Guard, cfg Config) (*Guard, error) {
	switch {
	case guard == nil:
		return nil, errors.New("fencingprom: guard is nil")
	case cfg.Name == "":
		return nil, errors.New("fencingprom: Config.Name is empty, must name the guard")
	case cfg.Scopes < 0:
		return nil, fmt.Errorf("fencingprom: Config.Scopes is %d, must not be negative", cfg.Scopes)
	}
	labels := prometheus.Labels{"guard": cfg.Name}
	g := &Guard{
		guard: guard, scopes: cmp.Or(cfg.Scopes, 100), marks: map[string]int64{},
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotseat_guard_checks_total", ConstLabels: labels,
			Help: "Effects that a guard checked, by result.",
		}, []string{"result"}),
		announced: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotseat_guard_announcements_total", ConstLabels: labels,
			Help: "Tokens announced to a guard, by result.",
		}, []string{"result"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hotseat_guard_announcement_duration_seconds", ConstLabels: labels,
			Help:    "Time an announcement took, including the wait for older work in flight.",
			Buckets: []float64{.0001, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hotseat_guard_stale_lag_epochs", ConstLabels: labels,
			Help:    "By how much the epoch of a stale token was below the guard's mark.",
			Buckets: prometheus.ExponentialBuckets(1, 10, 10),
		}),
		epoch: prometheus.NewDesc("hotseat_guard_mark_epoch",
			"Highest epoch that this process saw in the guard.", []string{"scope"}, labels),
	}
	for _, counters := range []*prometheus.CounterVec{g.checks, g.announced} {
		// Each series exists from the start: a rate needs a zero.
		for _, result := range append(fencing.Kinds(), admitted, unfenced) {
			counters.WithLabelValues(string(result))
		}
	}
	return g, nil
}

// NewTracker is [New] for a guard that also tracks work in flight, such as [fencing.Memory].
func NewTracker(guard fencing.Tracker, cfg Config) (*Tracker, error) {
	if guard == nil {
		return nil, errors.New("fencingprom: guard is nil")
	}
	g, err := New(guard, cfg)
	if err != nil {
		return nil, err
	}
	return &Tracker{Guard: g, tracker: guard}, nil
}

// Announce implements [fencing.Guard].
func (g *Guard) Announce(ctx context.Context, t fencing.Token) error {
	began := time.Now()
	err := g.guard.Announce(ctx, t)
	g.took.Observe(time.Since(began).Seconds())
	g.count(g.announced, t, err)
	return err
}

// Mark implements [fencing.Guard].
func (g *Guard) Mark(ctx context.Context, scope string) (fencing.Token, error) {
	return g.guard.Mark(ctx, scope)
}

// Check implements [fencing.Checker].
func (t *Tracker) Check(ctx context.Context, token fencing.Token) error {
	return t.Observe(token, t.tracker.Check(ctx, token))
}

// Enter implements [fencing.Tracker]. It counts as a check.
func (t *Tracker) Enter(
	ctx context.Context, token fencing.Token,
) (_ context.Context, leave func(), _ error) {
	work, leave, err := t.tracker.Enter(ctx, token)
	t.count(t.checks, token, err)
	return work, leave, err
}

// Observe counts, as a check, an effect that another method of the guard admitted or refused, such
// as a transaction of sqlfence or a write of redisfence or kubefence. It returns err, the outcome,
// unchanged.
func (g *Guard) Observe(t fencing.Token, err error) error {
	g.count(g.checks, t, err)
	return err
}

func (g *Guard) count(counters *prometheus.CounterVec, t fencing.Token, err error) {
	counters.WithLabelValues(string(resultOf(t, err))).Inc()
	if err == nil {
		g.saw(t)
	}
	if stale, ok := errors.AsType[*fencing.StaleError](err); ok {
		g.lag.Observe(float64(stale.Mark.Epoch) - float64(stale.Presented.Epoch))
		g.saw(stale.Mark)
	}
}

// saw records a mark. Calls may end in another order than the guard decided them.
func (g *Guard) saw(mark fencing.Token) {
	if mark.IsZero() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if known, ok := g.marks[mark.Scope]; ok || len(g.marks) < g.scopes {
		g.marks[mark.Scope] = max(known, mark.Epoch)
	}
}

// Results beside the kinds of errors.
const (
	admitted fencing.Kind = "ok"
	unfenced fencing.Kind = "unfenced"
)

func resultOf(t fencing.Token, err error) fencing.Kind {
	switch {
	case err == nil && t.IsZero():
		return unfenced
	case err == nil:
		return admitted
	}
	return fencing.KindOf(err)
}

// Describe implements prometheus.Collector.
func (g *Guard) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range g.collectors() {
		c.Describe(ch)
	}
	ch <- g.epoch
}

// Collect implements prometheus.Collector. It does not ask the guard.
func (g *Guard) Collect(ch chan<- prometheus.Metric) {
	for _, c := range g.collectors() {
		c.Collect(ch)
	}
	for _, metric := range g.epochs() {
		ch <- metric
	}
}

func (g *Guard) collectors() []prometheus.Collector {
	return []prometheus.Collector{g.checks, g.announced, g.took, g.lag}
}

func (g *Guard) epochs() (all []prometheus.Metric) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for scope, epoch := range g.marks {
		all = append(all,
			prometheus.MustNewConstMetric(g.epoch, prometheus.GaugeValue, float64(epoch), scope))
	}
	return all
}
