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
	"slices"
	"strings"
	"testing"

	"k8s.io/klog/v2"
)

// section is a part of the report.
type section struct {
	name  string
	real  bool // on a real API server
	print func(*testing.T, io.Writer)
}

func sections() []section {
	return []section{
		{"faults", false, faultTable}, {"frozen", false, freezeTable},
		{"handover", true, handoverTable}, {"failover", true, failoverTable}, {"load", true, loadTable},
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
	if err := header(out, chosen); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
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

func faultTable(t *testing.T, out io.Writer) {
	t.Helper()
	fmt.Fprint(out, "\n## Faults: 15/10/2 s, virtual time\n\n")
	fmt.Fprintln(out, "| fault | client-go | hotseat |")
	fmt.Fprintln(out, "|---|---|---|")
	for _, f := range faults() {
		fmt.Fprintln(out, f.row(f.both(t)))
	}
}
