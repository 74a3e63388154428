// Command model explores every state of hotseat's protocol within small bounds: one
// Lease, two candidates, an API server whose answers are late, lost, or given to
// writes that nobody waits for any more; renewals and acquires that overlap and land
// in any order; watches that show each change, late, or have gaps; people who delete,
// ship, clear, replace and restore the Lease and put a file of it back; and a guard. It
// fails if one of the guarantees of package singleton can be broken, and then tells the
// shortest story of how.
//
// Real are the pure functions of packages lease and fencing (see model). Modelled after
// the code, step by step, are the requests of protocol.Lock and the loop of package
// singleton.
//
// Left out: raising an epoch, floors, edits of single fields other than the holder,
// polls, shared watches, caches that are ahead of their store, answers that lie,
// drifting clocks (L = R + S leaves no slack for any), hold-offs and back-off (any delay
// is possible anyhow). Steps take no time; time passes in ticks between them. An API
// server that is restored is down for a tick at least. A watch that is late by more than
// one change is taken for one with a gap.
//
// Excused is what internal/docs/guide/guarantees.md says is not covered, and nothing else: see holes.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"
)

func main() {
	only := flag.String("only", "", "names of the bounds to explore, a regular expression")
	flag.Parse()
	if err := run(regexp.MustCompile(*only)); err != nil {
		fmt.Fprintln(os.Stderr, "model:", err)
		os.Exit(1)
	}
}

// abreast is how many bounds are explored at once: their states take memory.
const abreast = 2

func run(only *regexp.Regexp) error {
	began := time.Now()
	var explored []chan result
	slots := make(chan struct{}, abreast)
	for _, b := range all() {
		if !only.MatchString(b.name) {
			continue
		}
		done := make(chan result, 1)
		explored = append(explored, done)
		go func() {
			slots <- struct{}{}
			done <- explore(b)
			<-slots
		}()
	}
	states, transitions, violations := 0, 0, 0
	fmt.Printf("%-38s %5s %7s %12s %12s %8s\n", "bounds", "L/R/S", "ticks", "states", "transitions", "time")
	for _, done := range explored {
		r := <-done
		b := r.bounds
		states += r.states
		transitions += r.transitions
		fmt.Printf("%-38s %d/%d/%d %7d %12d %12d %7.1fs\n", b.name, b.L, b.R, b.S, b.horizon, r.states, r.transitions, r.took.Seconds())
		if r.bad != none {
			violations++
			fmt.Printf("  VIOLATED: %v\n", r.bad)
			for _, line := range r.story {
				fmt.Println(line)
			}
		}
	}
	fmt.Printf("model: %d states, %d transitions in %v\n", states, transitions, time.Since(began).Round(time.Second))
	if violations > 0 {
		return fmt.Errorf("violated within %d of the bounds", violations)
	}
	return nil
}
