package sim

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestShare: nobody for 2 s, then a job of 4 s, and whatever a case adds.
func TestShare(t *testing.T) {
	for name, c := range map[string]struct {
		play func(*scene)
		want Share
	}{
		"one": {func(*scene) {}, Share{2 * second, 4 * second, 0}},
		"two": {func(s *scene) {
			_, _, back := s.work(s.b, 2)
			s.tick(time.Second)
			back()
		}, Share{2 * second, 4 * second, 1 * second}},
		"one after the other": {func(s *scene) {
			s.leave(s.jobs[0])
			_, _, back := s.work(s.b, 2)
			s.tick(time.Second)
			back()
		}, Share{2 * second, 5 * second, 0}},
		"beside one that was frozen": {func(s *scene) {
			s.jobs[0].frozen = true
			_, _, back := s.work(s.b, 2)
			s.tick(time.Second)
			back()
		}, Share{2 * second, 5 * second, 0}},
		"frozen for a while": {func(s *scene) {
			s.w.plan.Faults = []Fault{{Kind: Freeze, Node: 0, At: 3 * second, For: second}}
		}, Share{3 * second, 3 * second, 0}},
		"another node was frozen": {func(s *scene) {
			s.w.plan.Faults = []Fault{{Kind: Freeze, Node: 1, At: 3 * second, For: second}}
		}, Share{2 * second, 4 * second, 0}},
		"made to outstay its budget": {func(s *scene) {
			s.jobs[0].overran = true
			_, _, back := s.work(s.b, 2)
			s.tick(time.Second)
			back()
		}, Share{2 * second, 5 * second, 0}},
		"under an exception": {func(s *scene) {
			s.reshipped()
			s.takes(s.b, "2")
			_, _, back := s.work(s.b, 2)
			s.tick(time.Second)
			back()
		}, Share{2 * second, 5 * second, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				from := time.Now()
				s.tick(2 * second)
				_, _, back := s.work(s.a, 1)
				s.tick(4 * second)
				c.play(s)
				if s.jobs[0].returned.IsZero() {
					back()
				}
				require.Equal(t, c.want, s.share(from, time.Now()))
				require.Equal(t, Share{None: second}, s.share(from.Add(second), from.Add(2*second)), "a part of it")
			})
		})
	}
}
