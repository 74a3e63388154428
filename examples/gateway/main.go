// Command gateway is an endpoint picker, as gateways to LLMs have one: it says which model server
// should answer a prompt. Three replicas run, all of them ready. The active one picks, and the
// others keep their caches warm. See README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/hotseat-go/hotseat/examples/gateway/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var s settings
	show := flag.Bool("demo", false, "run three replicas here, end them, and count what a client sees")
	fake := flag.Bool("fake", false, "be the model servers, which are made up, instead of a replica")
	ask := flag.String("client", "",
		"be a client of the gateway at this `address`, or at all replicas' addresses with commas between")
	flag.StringVar(&s.listen, "listen", ":8080", "`address` to serve on")
	flag.StringVar(&s.models, "models", "http://models:8080", "`URL` of the model servers' metrics")
	flag.DurationVar(&s.timing.LeaseDuration, "lease-duration", 0, "as client-go's; 0 means 15s")
	flag.DurationVar(&s.timing.RenewDeadline, "renew-deadline", 0, "as client-go's; 0 means 10s")
	flag.DurationVar(&s.timing.RetryPeriod, "retry-period", 0, "as client-go's; 0 means 2s")
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q: it takes flags only", flag.Arg(0))
	case *show:
		return showDemo(ctx)
	case *fake:
		return serve(ctx, s.listen, new(fleet))
	case *ask != "":
		return count(ctx, strings.Split(*ask, ","), os.Stdout)
	}
	slog.Info("a replica starts", "models", s.models, "listen", s.listen)
	return replica(ctx, s)
}

// showDemo plays the demo, and prints what a client saw.
func showDemo(ctx context.Context) error {
	rows, err := demo(ctx, os.Stdout)
	if err == nil {
		fmt.Printf("\n%s\nNo two replicas picked at once.\n", client.Table(rows))
	}
	return err
}

// count asks until ctx ends, and prints a row for every ten seconds.
func count(ctx context.Context, addrs []string, out io.Writer) error {
	c := client.Start(client.Config{Addrs: addrs})
	for n := 0; ctx.Err() == nil; n++ {
		c.Begin(fmt.Sprintf("%d to %d s", 10*n, 10*(n+1)))
		sleep(ctx, 10*time.Second)
		rows := c.Rows()
		fmt.Fprintln(out, client.Table(rows[len(rows)-1:]))
	}
	c.Stop()
	fmt.Fprintln(out, "All requests, when they were answered or given up:")
	fmt.Fprint(out, client.Table(c.Rows()))
	return c.Audit()
}
