//go:build unix

// Command postgres is a singleton that bills invoices exactly once, through
// crashes and freezes, because each charge is written in a transaction that its
// fencing token guards: see replica.go, which is what a service would have. The
// rest runs it as three processes, kills and freezes them, and audits the tables
// at the end. It needs no cluster, and brings its own PostgreSQL unless told of one.
//
// Exit status: 0 the audit holds, 1 it does not or the story could not be played.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hotseat-go/hotseat/internal/services"
)

// replicaArg makes this binary one replica instead of the story.
const replicaArg = "replica"

func main() {
	if len(os.Args) == 2 && os.Args[1] == replicaArg {
		exit(runReplica())
	}
	dsn := flag.String("dsn", "", "`URL` of a PostgreSQL to use instead of one of our own; its tables invoices, charges and hotseat_fence are dropped")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, *dsn))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "postgres:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, dsn string) (err error) {
	s := &story{dsn: dsn, say: func(line string) { fmt.Println(line) }}
	if dsn == "" {
		if s.server, err = services.StartPostgres(ctx); err != nil {
			return err
		}
		defer s.server.Close()
		s.dsn = s.server.DSN()
	}
	result, err := s.run(ctx)
	fmt.Println(result)
	return errors.Join(err, result.verdict())
}
