package main

import (
	"context"
	"io"
	"log"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/klog/v2"

	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

func TestMain(m *testing.M) {
	klog.SetLogger(klog.Logger{})
	log.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// Two replicas, of which the first is stopped and needs ten seconds for it. With client-go the
// second works beside it; with hotseat it starts when the first has ended.
func TestHandover(t *testing.T) {
	for name, c := range map[string]struct {
		elect       func(context.Context, replica) error
		least, most time.Duration // from the end of the first one's work to the second's start
	}{
		"before": {before, -10 * time.Second, 2 * time.Second},
		"after":  {after, 0, time.Second / 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
				t.Cleanup(cluster.Close)
				starts, ends := make(chan time.Time, 2), make(chan time.Time, 2)
				start := func(name string) (stop func()) {
					ctx, cancel := context.WithCancel(context.Background())
					done := make(chan error, 1)
					go func() {
						done <- c.elect(ctx, replica{
							config: cluster.RESTConfig(name), namespace: "shop", name: name,
							work: func(ctx context.Context) {
								starts <- time.Now()
								<-ctx.Done()
								time.Sleep(10 * time.Second)
								ends <- time.Now()
							},
						})
					}()
					t.Cleanup(func() {
						cancel()
						require.NoError(t, <-done)
						time.Sleep(10 * time.Second) // client-go does not wait for its work
					})
					return cancel
				}
				stop := start("a")
				<-starts
				start("b")
				time.Sleep(30 * time.Second)
				stop()
				second, first := <-starts, <-ends
				require.GreaterOrEqual(t, second.Sub(first), c.least)
				require.LessOrEqual(t, second.Sub(first), c.most)
				if name == "before" {
					require.Negative(t, second.Sub(first), "client-go waits for the work now: say so in README")
				}
			})
		})
	}
}
