package main

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"
)

// result of an exploration.
type result struct {
	bounds      bounds
	states      int
	transitions int
	deepest     int // steps
	took        time.Duration
	bad         violation
	story       []string // how it came to that
}

// explore visits every state within b, breadth first, and stops at the first
// violation, which then has the shortest story there is. States are told apart
// by 64-bit hashes: among ten million, two share one with a probability of
// 3 in a million.
func explore(b bounds) result {
	m := newModel(b)
	began := time.Now()
	seed := maphash.MakeSeed()
	start := m.initial()
	seen := map[uint64]struct{}{maphash.Comparable(seed, start): {}}
	nodes := []node{{parent: -1}}
	level, ids := []state{start}, []int32{0}
	r := result{bounds: b, states: 1}
	for len(level) > 0 {
		var next []state
		var nextIDs []int32
		for n, s := range level {
			for step, t := range m.next(s) {
				r.transitions++
				h := maphash.Comparable(seed, t)
				if _, known := seen[h]; known {
					continue
				}
				seen[h] = struct{}{}
				nodes = append(nodes, node{ids[n], uint16(step)})
				r.states++
				if t.bad != none {
					r.bad, r.took = t.bad, time.Since(began)
					r.story = m.retrace(start, nodes)
					return r
				}
				next = append(next, t)
				nextIDs = append(nextIDs, int32(len(nodes)-1))
			}
		}
		level, ids = next, nextIDs
		r.deepest++
	}
	r.took = time.Since(began)
	return r
}

// node is how a state was first reached.
type node struct {
	parent int32
	step   uint16
}

// retrace tells the way to the last node.
func (m *model) retrace(s state, nodes []node) []string {
	var steps []uint16
	for n := nodes[len(nodes)-1]; n.parent >= 0; n = nodes[n.parent] {
		steps = append(steps, n.step)
	}
	slices.Reverse(steps)
	m.telling = true
	var story []string
	for _, step := range steps {
		next := m.next(s)
		if s.now != next[step].now {
			story = append(story, fmt.Sprintf("      -- tick %d --", next[step].now))
		} else {
			story = append(story, "      "+strings.ReplaceAll(m.stories[step], " 's ", "'s "))
		}
		s = next[step]
	}
	return story
}
