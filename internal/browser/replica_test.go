package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/proc"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/statuspage"
)

// asReplica makes this binary a replica instead of the tests.
const asReplica = "replica"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == asReplica {
		if err := serveReplica(); err != nil {
			fmt.Fprintln(os.Stderr, "replica:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// order is what a replica is told.
type order struct{ Name, API string }

// serveReplica is the life of a replica's process. It prints the URL of its page.
func serveReplica() error {
	var o order
	if err := proc.Told(&o); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	client, err := singleton.NewClient(&rest.Config{Host: o.API, BearerToken: o.Name})
	if err != nil {
		return err
	}
	guard, err := fencing.NewMemory(fencing.MemoryConfig{})
	if err != nil {
		return err
	}
	elector, err := singleton.New(client, singleton.Config{
		Name: "invoicer", Namespace: "shop", Guards: []fencing.Guard{guard},
		Logger:  slog.New(slog.DiscardHandler),
		Replica: singleton.ReplicaConfig{Identity: o.Name, Program: "invoicer/worker"},
		Timing:  lease.Timing{LeaseDuration: 5 * time.Second, RenewDeadline: 3 * time.Second, RetryPeriod: 500 * time.Millisecond},
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := newServer(statuspage.Handler(elector))
	go func() { _ = server.Serve(listener) }()
	if err := json.NewEncoder(os.Stdout).Encode("http://" + listener.Addr().String() + "/status"); err != nil {
		return err
	}
	if err := elector.Run(ctx, func(ctx context.Context, _ *singleton.Term) error { <-ctx.Done(); return nil }); err != nil {
		return err
	}
	return server.Shutdown(context.Background()) // it must not wait for streams
}

// newServer has timeouts that a stream outlasts.
func newServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadTimeout: 2 * time.Second, WriteTimeout: 2 * time.Second}
}

// replica is one that runs.
type replica struct {
	*proc.Process
	url string
}

func startReplica(t *testing.T, name, api string) *replica {
	t.Helper()
	urls := make(chan string, 1)
	p, err := proc.Start(proc.Self(asReplica), proc.Options{
		Tell: order{name, api},
		Out: func(line []byte) {
			var url string
			if json.Unmarshal(line, &url) == nil {
				urls <- url
			}
		},
		Err: func(line []byte) { t.Logf("%s: %s", name, line) },
	})
	require.NoError(t, err)
	t.Cleanup(func() { p.Stop(5 * time.Second) })
	select {
	case url := <-urls:
		return &replica{p, url}
	case <-p.Exited():
		require.FailNow(t, "a replica ended at once", name)
	case <-time.After(time.Minute):
		require.FailNow(t, "a replica does not start", name)
	}
	return nil
}
