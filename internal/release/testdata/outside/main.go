// Command outside requires what is released as anybody does: it is built outside of
// the repository, from the modules' zips. It leads once and writes through a guard.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"

	"github.com/hotseat-go/hotseat/fencing"
	_ "github.com/hotseat-go/hotseat/fencing/fencingprom"
	_ "github.com/hotseat-go/hotseat/fencing/filestore"
	"github.com/hotseat-go/hotseat/fencing/grpcfence"
	_ "github.com/hotseat-go/hotseat/fencing/httpfence"
	_ "github.com/hotseat-go/hotseat/fencing/kubefence"
	"github.com/hotseat-go/hotseat/fencing/pgxfence"
	"github.com/hotseat-go/hotseat/fencing/redisfence"
	"github.com/hotseat-go/hotseat/fencing/redisfence/goredis"
	_ "github.com/hotseat-go/hotseat/fencing/sqlfence"
	_ "github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/grpcserving"
	"github.com/hotseat-go/hotseat/singleton/serving"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	guard, err := fencing.NewMemory(fencing.MemoryConfig{})
	if err != nil {
		return err
	}
	if err := nested(guard); err != nil {
		return err
	}
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	elector, err := singleton.New(cluster.Client("outside"), singleton.Config{Namespace: "shop", Name: "invoicer"})
	if err != nil {
		return err
	}
	if err := prometheus.NewRegistry().Register(elector); err != nil {
		return err
	}
	gate := serving.NewGate(elector)
	_ = grpc.NewServer(grpcserving.New(gate, grpcserving.Config{}).ServerOptions()...)
	return elector.Run(ctx, func(ctx context.Context, _ *singleton.Term) error {
		token, ok := fencing.FromContext(ctx)
		if !ok {
			return errors.New("work has no token")
		}
		_, leave, err := guard.Enter(ctx, token)
		if err != nil {
			return err
		}
		defer leave()
		fmt.Printf("active, and fenced in scope %s\n", token.Scope)
		return nil
	})
}

// nested has the guards in modules of their own made and linked. There is no server
// to speak to.
func nested(guard *fencing.Memory) error {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer func() { _ = client.Close() }()
	if _, err := redisfence.New(goredis.Eval(client), redisfence.Config{Scope: "shop/invoicer", Key: "{invoicer}:mark"}); err != nil {
		return err
	}
	pool, err := pgxpool.New(context.Background(), "postgres://127.0.0.1:1/shop")
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pgxfence.New(pgxfence.Config{Pool: pool, Scope: "shop/invoicer"}); err != nil {
		return err
	}
	fence, err := grpcfence.NewServer(grpcfence.ServerConfig{Guard: guard, Scope: "shop/invoicer"})
	if err != nil {
		return err
	}
	server := grpc.NewServer(fence.ServerOptions()...)
	fence.Register(server)
	server.Stop()
	return nil
}
