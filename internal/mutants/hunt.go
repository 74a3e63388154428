package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// hunter tries mutants, a few at a time.
type hunter struct {
	goTool, root string
	suite, sim   bool // which detectors to try
	timeout      time.Duration
	seeds        int // for every mutant instead of its own bound; 0: its own
	jobs         int
}

// verdict on one mutant.
type verdict struct {
	suite, sim string // what caught it
	err        error  // it survived, or could not be tried
	took       time.Duration
}

const line = "%-33s %-21s %-62s %-38s %5s\n"

// hunt tries every mutant with every detector and prints the table.
func hunt(ctx context.Context, h hunter, mutants []mutant) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := h.sound(ctx, mutants); err != nil {
		return err
	}
	began := time.Now()
	fmt.Printf(line, "mutant", "file", "suite: first test that fails", "simulator: seed, of so many", "s")
	var failed []error
	caught, seen := 0, 0
	slots := make(chan struct{}, h.jobs)
	pending := make([]chan verdict, len(mutants))
	for i := range pending {
		pending[i] = make(chan verdict, 1)
	}
	go func() {
		for i, m := range mutants {
			slots <- struct{}{}
			go func() {
				defer func() { <-slots }()
				pending[i] <- h.judge(ctx, m)
			}()
		}
	}()
	for i, m := range mutants {
		v := <-pending[i]
		if ctx.Err() == nil {
			fmt.Printf(line, m.name, m.file, v.suite, v.sim, fmt.Sprintf("%.0f", v.took.Seconds()))
		}
		if v.err != nil {
			failed = append(failed, v.err)
			continue
		}
		caught++
		if h.sim && m.seeds > 0 {
			seen++
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	fmt.Printf("mutants: %d of %d caught, %d of them by the simulator within its bound, in %v\n",
		caught, len(mutants), seen, time.Since(began).Round(time.Second))
	return errors.Join(failed...)
}

// judge tries one mutant with the detectors that are to catch it.
func (h hunter) judge(ctx context.Context, m mutant) (v verdict) {
	began := time.Now()
	against := func(d detector) string {
		caught, err := try(ctx, h.goTool, h.root, m, d)
		switch {
		case err != nil:
			v.err = errors.Join(v.err, err)
			return "ERROR"
		case caught == "":
			v.err = errors.Join(v.err, fmt.Errorf("mutant %s survived the %s: %s", m.name, d.name, m.why))
			return "SURVIVED"
		}
		return caught
	}
	if h.suite {
		v.suite = against(suite(m, h.timeout))
	}
	if seeds := max(m.seeds, h.seeds); h.sim && seeds > 0 {
		v.sim = fmt.Sprintf("%s, of %d", against(simulator(seeds, simTimeout)), seeds)
	}
	v.took = time.Since(began)
	return v
}

const pkgGuards = "./internal/guards"

// simTimeout is long: only a mutant that never ends is to meet it.
const simTimeout = 8 * time.Minute

// sound demands that the tests pass on the tree as it is, or failing on a mutant
// would prove nothing.
func (h hunter) sound(ctx context.Context, mutants []mutant) error {
	var detectors []detector
	if h.suite {
		runs := map[string][]string{}
		for _, m := range mutants {
			runs[m.pkg] = append(runs[m.pkg], m.run)
		}
		for pkg, runs := range runs {
			all := mutant{pkg: pkg, run: "."}
			if pkg == pkgGuards { // whose whole suite is minutes of real servers
				all.run = strings.Join(runs, "|")
			}
			detectors = append(detectors, suite(all, simTimeout))
		}
	}
	most := h.seeds
	for _, m := range mutants {
		most = max(most, m.seeds)
	}
	if h.sim {
		detectors = append(detectors, simulator(most, simTimeout))
	}
	for _, d := range detectors {
		caught, err := try(ctx, h.goTool, h.root, mutant{name: "none"}, d)
		if err != nil {
			return err
		}
		if caught != "" {
			return fmt.Errorf("the %s fails on the tree as it is: %s", d.name, caught)
		}
	}
	return nil
}
