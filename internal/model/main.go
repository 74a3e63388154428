// Command model explores every state of hotseat's protocol within small bounds:
// one Lease, two candidates, an API server whose answers are late, lost, or given
// to writes that nobody waits for any more, people who delete, edit and restore
// the Lease, and a guard. It fails if a rule of internal/docs can be broken, and
// then tells the shortest story of how.
//
// Real are the pure functions of package lease and fencing (see model). Modelled
// after the code, step by step, are the requests of lease.Lock and the loop of
// package singleton. Left out: raising an epoch, floors, drifting clocks (L = R + S
// leaves no slack for any), polls, hold-offs and back-off (any delay is possible
// anyhow). Steps take no time; time passes in ticks between them.
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

func run(only *regexp.Regexp) error {
	began := time.Now()
	states, transitions, violations := 0, 0, 0
	fmt.Printf("%-38s %5s %7s %12s %12s %8s\n", "bounds", "L/R/S", "ticks", "states", "transitions", "time")
	for _, b := range all() {
		if !only.MatchString(b.name) {
			continue
		}
		r := explore(b)
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
