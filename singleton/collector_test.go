package singleton_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/singleton"
)

// made are metrics that only have to be handed on: the least that a scrape of as many can cost.
type made []prometheus.Metric

func (m made) Describe(ch chan<- *prometheus.Desc) {
	for _, one := range m {
		ch <- one.Desc()
	}
}

func (m made) Collect(ch chan<- prometheus.Metric) {
	for _, one := range m {
		ch <- one
	}
}

func collect(e *singleton.Elector) (all made) {
	ch := make(chan prometheus.Metric, 1000)
	e.Collect(ch)
	close(ch)
	for one := range ch {
		all = append(all, one)
	}
	return all
}

// crowds are registries of a thousand electors in one process, of as many metrics that are made
// already, and of a Collector of the electors.
func crowds(t testing.TB) (ours, floor, few *prometheus.Registry) {
	var all []*singleton.Elector
	c := apiserver.New(apiserver.Options{})
	t.Cleanup(c.Close)
	ours, floor, few = prometheus.NewRegistry(), prometheus.NewRegistry(), prometheus.NewRegistry()
	for i := range crowd {
		e, err := singleton.New(c.Client("a"), singleton.Config{Namespace: "shop", Name: crowdName(i), Logger: quiet()})
		require.NoError(t, err)
		require.NoError(t, ours.Register(e))
		require.NoError(t, floor.Register(collect(e)))
		all = append(all, e)
	}
	require.NoError(t, few.Register(singleton.NewCollector(func() []*singleton.Elector { return all })))
	return ours, floor, few
}

// A scrape of many electors costs little more than client_golang's own part of it, and a Collector's
// is a small part of that. One of a few comparisons has to show that: the machine does other things, too.
func TestScrapeOfACrowd(t *testing.T) {
	whole.Only(t)
	ours, floor, few := crowds(t)
	took := func(r *prometheus.Registry) time.Duration {
		began := time.Now()
		families, err := r.Gather()
		require.NoError(t, err)
		require.NotEmpty(t, families)
		return time.Since(began)
	}
	for range 10 {
		a, b, c := took(ours), took(floor), took(few)
		t.Logf("%d electors: %v; of metrics that are made already: %v; by a Collector: %v", crowd, a, b, c)
		if a < 3*b && c < a/4 {
			return
		}
	}
	require.Fail(t, "collecting takes longer than all the rest")
}

// BenchmarkScrape has both sides of TestScrapeOfACrowd.
func BenchmarkScrape(b *testing.B) {
	ours, floor, few := crowds(b)
	for name, registry := range map[string]*prometheus.Registry{
		"electors": ours, "floor": floor, "collector": few,
	} {
		b.Run(fmt.Sprintf("%s=%d", name, crowd), func(b *testing.B) {
			for b.Loop() {
				_, err := registry.Gather()
				require.NoError(b, err)
			}
		})
	}
}
