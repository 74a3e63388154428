package main

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/scenario"
)

// steady measures n replicas with nothing happening, in virtual time and so
// exactly: a minute to settle, then the window. It should be much longer than
// the 5 to 10 minutes a watch lasts.
func steady(t *testing.T, e elector, n int, window time.Duration) load {
	t.Helper()
	var l load
	synctest.Test(t, func(t *testing.T) {
		s := scenario.New(scenario.Options{}, e.play(false))
		defer s.Close()
		for i := range n {
			s.StartNamed(fmt.Sprintf("n%d", i))
		}
		time.Sleep(time.Minute)
		s.ForgetRequests()
		time.Sleep(window)
		synctest.Wait()
		rate := func(verbs ...string) float64 {
			return float64(s.CountRequests("", verbs...)) / window.Seconds()
		}
		l = load{writes: rate("create", "update", "patch", "delete"), reads: rate("get", "list"), watches: rate("watch")}
		if len(s.Terms()) != 1 {
			t.Fatalf("%s: %d terms in a quiet cluster", e.name, len(s.Terms()))
		}
	})
	return l
}

func TestSteadyLoad(t *testing.T) {
	for n, want := range map[int]float64{1: 0.5, 3: 1.13, 20: 6.44, 100: 31.4} { // 0.5 + (n-1)/3.2
		theirs, our := steady(t, peer(), n, 4*time.Minute), steady(t, ours(), n, 12*time.Minute)
		t.Logf("| N = %d, steady | %.2f req/s | %.2f req/s, of which %.2f writes |", n, theirs.all(), our.all(), our.writes)
		require.InEpsilon(t, want, theirs.all(), 0.1)
		require.LessOrEqual(t, our.writes, 0.51)
		perWatch := float64(n) / (5 * 60)
		require.LessOrEqual(t, our.watches, perWatch, "each lasts 5 minutes at least")
		require.LessOrEqual(t, our.reads, perWatch, "one list for each")
	}
}
