// Command mutants proves that the tests can see: it plants deliberate bugs in
// packages lease and singleton and in the guards, one at a time, and demands
// that each is caught, by the packages' own tests and, where a bound is stated,
// by the simulator within that many seeds.
//
//	go run ./internal/mutants [-detector suite|sim|both] [-only regexp] [-list]
//
// Each bug is a patch of one file, in folder planted. The tree is not touched:
// the patched file is laid over it by go test -overlay. A mutant that survives,
// does not compile, or whose patch does not fit any more, fails the command.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var (
		which   = flag.String("detector", "both", "what is to catch them: suite, sim or both")
		only    = flag.String("only", "", "names of the mutants to try, a regular expression")
		list    = flag.Bool("list", false, "list them and stop")
		timeout = flag.Duration("timeout", time.Minute, "of one run of the suite; a mutant that never ends is caught by it")
		seeds   = flag.Int("seeds", 0, "give the simulator at least so many seeds for every mutant, to find out its bound")
		jobs    = flag.Int("jobs", runtime.NumCPU(), "how many mutants to try at once")
		goTool  = flag.String("go", "go", "the go command")
	)
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	root, err := filepath.Abs(".")
	if err != nil {
		return err
	}
	all, err := catalogue(root)
	if err != nil {
		return err
	}
	var chosen []mutant
	for _, m := range all {
		if pattern.MatchString(m.name) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("-only %q matches no mutant", *only)
	}
	if *list {
		for _, m := range chosen {
			fmt.Printf("%-33s %-22s %s\n", m.name, m.file, m.why)
		}
		return nil
	}
	if *which != "suite" && *which != "sim" && *which != "both" {
		return fmt.Errorf("-detector %q must be suite, sim or both", *which)
	}
	return hunt(ctx, hunter{
		goTool: *goTool, root: root, suite: *which != "sim", sim: *which != "suite",
		timeout: *timeout, seeds: *seeds, jobs: max(1, *jobs),
	}, chosen)
}
