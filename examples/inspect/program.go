package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// program is what a command runs in. It is not safe for concurrent use.
type program struct {
	stdout, stderr io.Writer
	getenv         func(string) string
	now            func() time.Time
}

// What the program exits with.
const (
	exitFine    = 0
	exitProblem = 1 // what was asked for was found out, and something is wrong
	exitError   = 2 // it was not found out: wrong usage, a missing right, no API server
)

// errProblem ends a command that has already told what is wrong.
var errProblem = errors.New("a problem was found")

// usageError is a command line that cannot be understood.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func misused(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...)}
}

// verb is one of the program's commands.
type verb struct {
	name, args, about string
	json              bool // knows -o json
	flags             func(*pflag.FlagSet) func(context.Context, *call) error
}

// call is one use of a verb.
type call struct {
	*program
	*cluster
	args []string
	json bool
}

func verbs() []verb {
	return []verb{
		statusVerb(), historyVerb(), watchVerb(), handoverVerb(), fenceVerb(), guardsVerb(),
	}
}

// run is the program with these arguments.
func (p *program) run(ctx context.Context, args []string) (code int) {
	err := p.dispatch(ctx, args)
	var usage *usageError
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp):
		return exitFine
	case errors.Is(err, errProblem):
		return exitProblem
	case errors.As(err, &usage):
		fmt.Fprintf(p.stderr, "error: %v\nSee 'kubectl hotseat --help'.\n", err)
	default:
		fmt.Fprintf(p.stderr, "error: %v\n", err)
	}
	return exitError
}

func (p *program) dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		p.usage()
		return nil
	}
	for _, v := range verbs() {
		if v.name == args[0] {
			return p.call(ctx, v, args[1:])
		}
	}
	return misused("there is no command %q", args[0])
}

func (p *program) call(ctx context.Context, v verb, args []string) error {
	set := pflag.NewFlagSet(v.name, pflag.ContinueOnError)
	set.SortFlags = false
	set.SetOutput(p.stderr)
	do := v.flags(set)
	output := ""
	if v.json {
		set.StringVarP(&output, "output", "o", "", "json, or empty for text")
	}
	reach := reachFlags(set)
	set.Usage = func() {
		fmt.Fprintf(p.stdout, "%s\n\nUsage: kubectl hotseat %s %s [flags]\n\nFlags:\n%s", v.about, v.name,
			v.args, set.FlagUsagesWrapped(width))
	}
	switch err := set.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case err != nil:
		return misused("%v", err)
	case output != "" && output != "json":
		return misused("--output is %q, must be json or empty", output)
	}
	c := &call{program: p, args: set.Args(), json: output == "json"}
	c.cluster = &cluster{reach: reach, clock: p.now}
	return do(ctx, c)
}

func (p *program) usage() {
	fmt.Fprint(p.stdout, `Shows the Leases of services that use hotseat, and hands leadership over.

Usage: kubectl hotseat COMMAND [flags]     (the program is named kubectl-hotseat, on the PATH)
       inspect COMMAND [flags]             (the same under its own name)

Commands:
`)
	for _, v := range verbs() {
		fmt.Fprintf(p.stdout, "  %-9s %s\n", v.name, v.about)
	}
	fmt.Fprint(p.stdout, `
'kubectl hotseat COMMAND --help' lists the flags of a command.

It exits with 0 if all is well, with 1 if it found a problem, and with 2 if it could not find out:
for wrong usage, a missing right, no Lease, or an API server or replicas that do not answer.
`)
}

// one is the only argument, which names a Lease.
func (c *call) one() (name string, err error) {
	if len(c.args) != 1 {
		return "", misused("one Lease must be named, not %d", len(c.args))
	}
	return trimKind(c.args[0], "lease"), nil
}

// trimKind allows kind/name for a name, as kubectl does.
func trimKind(name, kind string) string {
	before, after, found := strings.Cut(name, "/")
	if found && (before == kind || before == kind+"s") {
		return after
	}
	return name
}

// atMostOne refuses more than one Lease.
func (c *call) atMostOne() error {
	if len(c.args) > 1 {
		return misused("at most one Lease can be named, not %d", len(c.args))
	}
	return nil
}

// scope is the Lease that was named, or all of the namespace, or of all namespaces.
func (c *call) scope(all bool) scope {
	s := scope{namespace: c.namespace}
	if all {
		s.namespace = ""
	}
	if len(c.args) == 1 {
		s.name = trimKind(c.args[0], "lease")
	}
	return s
}

// print writes a line.
func (c *call) print(format string, args ...any) { fmt.Fprintf(c.stdout, format+"\n", args...) }

// printJSON writes v as indented JSON.
func (c *call) printJSON(v any) error {
	out := json.NewEncoder(c.stdout)
	out.SetIndent("", "  ")
	if err := out.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// printLine writes v as one line of JSON.
func (c *call) printLine(v any) error {
	if err := json.NewEncoder(c.stdout).Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}
