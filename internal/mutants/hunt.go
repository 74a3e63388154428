package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// hunter tries mutants one after another: two cores are few, and a test that is
// starved of them proves less.
type hunter struct {
	goTool, root string
	detectors    []detector
}

// hunt tries every mutant with every detector and prints the table.
func hunt(ctx context.Context, h hunter, mutants []mutant) error {
	if err := h.sound(ctx); err != nil {
		return err
	}
	began := time.Now()
	fmt.Printf("%-32s %-22s %-6s %6s  %s\n", "mutant", "file", "by", "time", "caught by")
	var failed []error
	caught := 0
	for _, m := range mutants {
		tried := 0
		for _, d := range h.detectors {
			v, err := try(ctx, h.goTool, h.root, m, d)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			what := v.caught
			switch {
			case err != nil:
				failed = append(failed, err)
				what = "ERROR"
			case !v.asked:
				continue
			case v.caught == "":
				failed = append(failed, fmt.Errorf("mutant %s survived %s: %s", m.name, d.name, m.why))
				what = "SURVIVED"
			default:
				tried++
			}
			fmt.Printf("%-32s %-22s %-6s %5.1fs  %s\n", m.name, m.file, d.name, v.took.Seconds(), what)
		}
		if tried > 0 {
			caught++
		}
	}
	fmt.Printf("mutants: %d of %d caught in %v\n", caught, len(mutants), time.Since(began).Round(time.Second))
	return errors.Join(failed...)
}

// sound demands that the tests pass on the tree as it is, or failing on a mutant
// would prove nothing.
func (h hunter) sound(ctx context.Context) error {
	for _, d := range h.detectors {
		for _, pkg := range []string{pkgLease, pkgSingleton, pkgGaps} {
			v, err := try(ctx, h.goTool, h.root, mutant{name: "none", run: ".", pkg: pkg, seeds: soundSeeds}, d)
			if err != nil {
				return err
			}
			if v.caught != "" {
				return fmt.Errorf("%s fails on the tree as it is: %s", d.name, v.caught)
			}
			if d.name == "sim" {
				break // it has one package
			}
		}
	}
	return nil
}

const (
	pkgLease     = "./lease"
	pkgSingleton = "./singleton"
	pkgGaps      = "./internal/mutants" // tests that the two lack
	soundSeeds   = 200
)
