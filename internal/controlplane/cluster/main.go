//go:build unix

// Command cluster runs a real API server and etcd on loopback until it is
// interrupted, and says how to reach it.
//
//	go run ./internal/controlplane/cluster [-controllers]
//	go run ./internal/controlplane/cluster -build    # only builds what is missing
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hotseat-go/hotseat/internal/controlplane"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	build := flag.Bool("build", false, "build what is missing and stop")
	controllers := flag.Bool("controllers", false, "run the controller manager and the scheduler too")
	minor := flag.String("kubernetes", os.Getenv(controlplane.EnvKubernetes), "the `minor` to run: "+controlplane.Newest+" or "+controlplane.Oldest)
	flag.Parse()
	if *build {
		_, err := controlplane.Build(ctx, *minor, os.Stderr)
		return err
	}
	c, err := controlplane.Start(ctx, controlplane.Options{Minor: *minor, Controllers: *controllers, Progress: os.Stderr})
	if err != nil {
		return err
	}
	defer c.Close()
	path, err := c.Kubeconfig("admin", c.AdminConfig())
	if err != nil {
		return err
	}
	fmt.Printf("Kubernetes %s, until Ctrl-C:\n\nexport KUBECONFIG=%s\n", c.Version, path)
	<-ctx.Done()
	return nil
}
