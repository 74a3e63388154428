// Command bench puts hotseat beside client-go's elector and prints what both
// do as Markdown tables. See README.md.
//
//	go run . [section ...]
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/klog/v2"
)

// section is a part of the report.
type section struct {
	name  string
	print func(*testing.T, io.Writer)
}

func sections() []section {
	return []section{
		{"faults", faultTable}, {"frozen", freezeTable}, {"failover", failoverTable},
		{"handover", handoverTable}, {"traffic", trafficTable}, {"calls", callTable},
	}
}

func main() {
	if isReplica() {
		return
	}
	klog.SetLogger(klog.Logger{}) // the stage of a fault is not the place for its log
	testing.Init()
	flag.Usage = usage
	flag.Parse()
	chosen, err := choose(flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		usage()
		os.Exit(2)
	}
	out := os.Stdout
	os.Stdout = os.Stderr // where package testing says what failed, and PASS
	header(out)
	// There is no virtual time (testing/synctest) without a *testing.T.
	var tests []testing.InternalTest
	for _, s := range chosen {
		tests = append(tests, testing.InternalTest{Name: s.name, F: func(t *testing.T) { s.print(t, out) }})
	}
	everything := func(string, string) (bool, error) { return true, nil }
	testing.Main(everything, tests, nil, nil) // exits
}

func usage() {
	var names []string
	for _, s := range sections() {
		names = append(names, s.name)
	}
	fmt.Fprintf(os.Stderr, "usage: bench [section ...]\nsections: %s; all if none is named\n", strings.Join(names, ", "))
}

func choose(names []string) ([]section, error) {
	all := sections()
	for _, name := range names {
		if !slices.ContainsFunc(all, func(s section) bool { return s.name == name }) {
			return nil, fmt.Errorf("bench: no section %q", name)
		}
	}
	if len(names) > 0 {
		all = slices.DeleteFunc(all, func(s section) bool { return !slices.Contains(names, s.name) })
	}
	return all, nil
}

func header(out io.Writer) {
	version := "?"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "k8s.io/client-go" {
				version = dep.Version
			}
		}
	}
	fmt.Fprintf(out, "# hotseat beside client-go %s\n\n%s, %s/%s, %d CPUs, %s.\n", version,
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), time.Now().UTC().Format(time.DateOnly))
}

func faultTable(t *testing.T, out io.Writer) {
	t.Helper()
	fmt.Fprint(out, "\n## Faults: 15/10/2 s, virtual time\n\n")
	fmt.Fprintln(out, "| fault | client-go | hotseat |")
	fmt.Fprintln(out, "|---|---|---|")
	for _, f := range faults() {
		fmt.Fprintln(out, f.row(f.both(t)))
	}
}
