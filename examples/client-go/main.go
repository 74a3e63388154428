// Client-go is a service that elects with client-go's leaderelection, before and after it took up
// hotseat. What differs is in before.go and after.go; README.md has the changed lines.
//
//	KUBECONFIG=~/.kube/config POD_NAMESPACE=default go run ./examples/client-go [-before]
package main

import (
	"cmp"
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// replica is one process of the service.
type replica struct {
	config    *rest.Config
	namespace string
	name      string
	work      func(ctx context.Context) // what one replica at a time does, until ctx ends
}

func main() {
	old := flag.Bool("before", false, "elect as before hotseat was there")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	host, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG")) // or in the cluster
	if err != nil {
		log.Fatal(err)
	}
	elect := after
	if *old {
		elect = before
	}
	if err := elect(ctx, replica{
		config: config, namespace: cmp.Or(os.Getenv("POD_NAMESPACE"), "default"),
		name: cmp.Or(os.Getenv("POD_NAME"), host), work: work,
	}); err != nil {
		log.Fatal(err)
	}
}

func work(ctx context.Context) {
	for ctx.Err() == nil {
		log.Print("working")
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}
