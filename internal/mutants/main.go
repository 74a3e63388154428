// Command mutants proves that the tests can see: it plants deliberate bugs in
// packages lease and singleton, one at a time, and demands that each is caught.
//
//	go run ./internal/mutants [-detector suite|sim|both] [-only regexp] [-list]
//
// The tree is not touched: each bug is an exact replacement in one file, laid
// over it by go test -overlay. A mutant that survives, does not compile, or
// whose text is not in the file any more, fails the command.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var (
		which   = flag.String("detector", "suite", "what is to catch them: suite, sim or both")
		only    = flag.String("only", "", "names of the mutants to try, a regular expression")
		list    = flag.Bool("list", false, "list them and stop")
		timeout = flag.Duration("timeout", 20*time.Second, "of one go test; a mutant that never ends is caught by it")
		goTool  = flag.String("go", "go", "the go command")
		simRun  = flag.String("sim-run", "^TestSeeds$", "with sim: the test that plays SIM_SEEDS seeds from SIM_FROM")
	)
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	var chosen []mutant
	for _, m := range catalogue() {
		if pattern.MatchString(m.name) {
			chosen = append(chosen, m)
		}
	}
	if *list {
		for _, m := range chosen {
			fmt.Printf("%-32s %-24s %s\n", m.name, m.file, m.why)
		}
		return nil
	}
	root, err := filepath.Abs(".")
	if err != nil {
		return err
	}
	var detectors []detector
	if *which == "suite" || *which == "both" {
		detectors = append(detectors, suite(*timeout))
	}
	if *which == "sim" || *which == "both" {
		detectors = append(detectors, simulator(max(*timeout, 2*time.Minute), "./internal/sim", *simRun))
	}
	if len(detectors) == 0 {
		return fmt.Errorf("-detector %q must be suite, sim or both", *which)
	}
	return hunt(ctx, hunter{goTool: *goTool, root: root, detectors: detectors}, chosen)
}
