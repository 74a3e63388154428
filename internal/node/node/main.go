//go:build linux

// Command node runs a real cluster until it is interrupted, and says how to reach it.
//
//	node up [-nodes 2] [-proxy] [-image NAME=PACKAGE ...]
//	node check    whether this machine can run nodes, and what it lacks
//	node image NAME=PACKAGE FILE    an archive for clusters elsewhere
//	node kubectl ARGUMENT ...    as its administrator, from elsewhere
//	node down                    ends it, from elsewhere; and what one that was killed left
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/hotseat-go/hotseat/internal/node"
)

func main() {
	if node.IsPart() {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	command := map[string]func(context.Context, []string) error{
		"up":      up,
		"down":    func(ctx context.Context, _ []string) error { return node.Down(ctx) },
		"kubectl": node.ExecKubectl,
		"image":   image,
		"check":   func(context.Context, []string) error { return node.Possible() },
	}
	if len(args) == 0 || command[args[0]] == nil {
		return errors.New("usage: node check | up [-nodes N] [-proxy] [-image NAME=PACKAGE] | down | " +
			"kubectl [ARGUMENT] | image NAME=PACKAGE FILE")
	}
	return command[args[0]](ctx, args[1:])
}

func image(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("image: must be NAME=PACKAGE FILE")
	}
	i, err := parseImage(args[0])
	if err != nil {
		return err
	}
	return i.Write(ctx, args[1])
}

func parseImage(s string) (i node.Image, err error) {
	var is bool
	if i.Name, i.Package, is = strings.Cut(s, "="); !is {
		return i, fmt.Errorf("image %q: must be NAME=PACKAGE", s)
	}
	return i, nil
}

func up(ctx context.Context, args []string) error {
	o := node.Options{Progress: os.Stderr}
	flags := flag.NewFlagSet("up", flag.ExitOnError)
	flags.IntVar(&o.Nodes, "nodes", 2, "how many `nodes`")
	flags.BoolVar(&o.Proxy, "proxy", false,
		"a kube-proxy on each node; without, every Service leads to the API server")
	const usage = "an image that each node has: `NAME=PACKAGE`, of a command in this checkout"
	flags.Func("image", usage, func(s string) error {
		i, err := parseImage(s)
		o.Images = append(o.Images, i)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	c, err := node.Up(ctx, o)
	if err != nil {
		return err
	}
	path, relay, err := c.Open(ctx)
	if err == nil {
		defer relay()
		fmt.Printf("Kubernetes %s with %d nodes, until Ctrl-C:\n\nexport KUBECONFIG=%s\n",
			c.Plane().Version, len(c.Nodes), path)
		<-ctx.Done()
	}
	if closed := c.Close(); err == nil {
		err = closed
	}
	return err
}
