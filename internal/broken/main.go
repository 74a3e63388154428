// Broken starts a service with three replicas, and one fault by number, which it does not name. It
// is for people who practise: who is active, what is wrong, what helps? faults.go has the answers.
//
//	go run . 7
//
// It prints the URLs of the replicas, a kubeconfig, the DSN of the guard's database, and the folder
// of the logs. It ends at Ctrl-C.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/hotseat-go/hotseat/lease"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	known := faults()
	if len(args) != 1 {
		return fmt.Errorf("one number must be given, from 1 to %d", len(known))
	}
	number, err := strconv.Atoi(args[0])
	if err != nil || number < 1 || number > len(known) {
		return fmt.Errorf("the number is %q, must be from 1 to %d", args[0], len(known))
	}
	s, err := start(ctx, known[number-1], lease.Timing{})
	if err != nil {
		return err
	}
	defer s.close()
	s.describe(os.Stdout)
	<-ctx.Done()
	return nil
}
