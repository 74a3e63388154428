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
	var seen hashes
	seen.add(maphash.Comparable(seed, start))
	nodes := []node{{parent: -1}}
	level, ids := []state{start}, []int32{0}
	r := result{bounds: b, states: 1}
	var next []state
	var nextIDs []int32
	for len(level) > 0 {
		for n, s := range level {
			for step, t := range m.next(s) {
				r.transitions++
				if !seen.add(maphash.Comparable(seed, t)) {
					continue
				}
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
		level, next = next, level[:0]
		ids, nextIDs = nextIDs, ids[:0]
		r.deepest++
	}
	r.took = time.Since(began)
	return r
}

// hashes is a set of hashes, in half of a map's memory.
type hashes struct {
	table []uint64 // its length is a power of two; 0 is an empty place
	used  int
}

// add reports whether h is new.
func (s *hashes) add(h uint64) bool {
	if 4*s.used >= 3*len(s.table) {
		old := s.table
		s.table, s.used = make([]uint64, max(1024, 2*len(old))), 0
		for _, h := range old {
			if h != 0 {
				s.add(h)
			}
		}
	}
	h = max(h, 1)
	for i := h; ; i++ {
		switch place := &s.table[i&uint64(len(s.table)-1)]; *place {
		case h:
			return false
		case 0:
			*place = h
			s.used++
			return true
		}
	}
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
