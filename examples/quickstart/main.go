// Command quickstart shows hotseat at work on one machine, with nothing but Go:
// three replicas, each a process of its own, keep exactly one of them active
// while the story hands over, kills, freezes and deletes under them. What the
// active writes is fenced, and at the end an audit of the ledger says whether
// the guarantees held. See README.md.
//
// Exit status: 0 the audit holds, 1 it does not or the story could not be
// played, 2 wrong usage, 130 interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hotseat-go/hotseat/internal/proc"
	"github.com/hotseat-go/hotseat/lease"
)

// replicaArg makes this binary one replica instead of the story.
const replicaArg = "replica"

const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // as shells report SIGINT
)

type options struct {
	fast, json, verbose        bool
	kubeconfig, namespace, dir string
	listen                     string
}

// pace is the story's timings.
type pace struct {
	timing lease.Timing
	write  time.Duration // how long the active works on one record
	settle time.Duration // how long each act stays to be looked at
}

// The library's defaults (15/10/2 s) would have the viewer wait; these keep
// every rule of lease.Timing.
func (o options) pace() pace {
	if o.fast {
		return pace{
			timing: lease.Timing{LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 400 * time.Millisecond}.WithDefaults(),
			write:  80 * time.Millisecond,
			settle: time.Second,
		}
	}
	return pace{
		timing: lease.Timing{LeaseDuration: 5 * time.Second, RenewDeadline: 3 * time.Second, RetryPeriod: 500 * time.Millisecond}.WithDefaults(),
		write:  100 * time.Millisecond,
		settle: 5 * time.Second,
	}
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == replicaArg {
		os.Exit(status(runReplica()))
	}
	if !proc.CanFreeze {
		os.Exit(status(errors.New("the story stops and freezes processes with Unix signals, which this system lacks: run it on Linux, macOS or WSL")))
	}
	var o options
	flag.BoolVar(&o.fast, "fast", false, "short timings: the whole story in less than half a minute")
	flag.BoolVar(&o.json, "json", false, "print events and the audit as JSON lines, nothing else")
	flag.BoolVar(&o.verbose, "v", false, "show the replicas' logs")
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "run on the cluster of this `file` instead of the embedded API server")
	flag.StringVar(&o.namespace, "namespace", "", "with -kubeconfig: where to put the Lease (default: the context's namespace)")
	flag.StringVar(&o.dir, "dir", "", "keep ledger.jsonl and events.jsonl in this `folder`")
	flag.StringVar(&o.listen, "listen", "", "serve the replicas' status pages side by side on this `address`, such as 127.0.0.1:8080")
	flag.Parse()
	switch out := flag.CommandLine.Output(); {
	case flag.NArg() > 0:
		fmt.Fprintf(out, "quickstart: unexpected argument %q: it takes flags only\n", flag.Arg(0))
		flag.Usage()
		os.Exit(exitUsage)
	case o.namespace != "" && o.kubeconfig == "":
		fmt.Fprintln(out, "quickstart: -namespace needs -kubeconfig")
		os.Exit(exitUsage)
	}
	os.Exit(tell(o))
}

// tell runs the story until it is over or interrupted.
func tell(o options) int {
	// A closed terminal must not skip the cleanup; a second Ctrl-C does.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt) })
	// Nor must a closed pipe: the display finds out by itself. To be notified
	// would not do, since writes to sockets of killed replicas raise it too.
	signal.Ignore(syscall.SIGPIPE)

	err := runStory(ctx, o)
	code := status(err)
	if ctx.Err() != nil || errors.Is(err, errInterrupted) {
		return exitInterrupted
	}
	return code
}

func status(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "quickstart:", err)
	return exitFailed
}
