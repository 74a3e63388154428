package main

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/internal/samples"
)

// spread is a set of measured times, sorted.
type spread []time.Duration

func newSpread(times []time.Duration) spread { return slices.Sorted(slices.Values(times)) }

// quantile is the smallest time that at least the fraction q of them do not exceed.
func (s spread) quantile(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	return s[max(0, int(math.Ceil(q*float64(len(s))))-1)]
}

func (s spread) min() time.Duration { return s.quantile(0) }
func (s spread) max() time.Duration { return s.quantile(1) }

func (s spread) mean() time.Duration {
	var sum time.Duration
	for _, d := range s {
		sum += d
	}
	return sum / time.Duration(max(1, len(s)))
}

// ratio tells how many times b goes into a.
func ratio[N time.Duration | float64](a, b N) string {
	if b == 0 {
		return "-"
	}
	if r := float64(a) / float64(b); r < 100 {
		return fmt.Sprintf("%.3gx", r)
	}
	return fmt.Sprintf("%.0fx", float64(a)/float64(b))
}

// keep keeps every time of a section, for the pictures.
func keep(t *testing.T, set samples.Set, name string) {
	t.Helper()
	if err := set.Keep(name); err != nil {
		t.Fatal(err)
	}
}
