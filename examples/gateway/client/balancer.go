package client

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// checkEvery is the time between two checks of a replica.
	checkEvery = 100 * time.Millisecond
	// checkTimeout is how long a check may take.
	checkTimeout = 500 * time.Millisecond
)

// balancer knows the active replica by its role endpoint, as a load balancer does that checks each
// replica by HTTP. One address alone is not checked: it is a Service's, or a balancer's.
type balancer struct {
	addrs  []string
	http   *http.Client
	now    atomic.Value    // string: the active's address; empty if nobody is
	ctx    context.Context //nolint:containedctx // of the checks
	cancel context.CancelFunc
	checks sync.WaitGroup
}

func newBalancer(addrs []string, client *http.Client) *balancer {
	b := &balancer{addrs: addrs, http: client}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.now.Store("")
	return b
}

func (b *balancer) active() string { return b.now.Load().(string) }

// start checks until stop.
func (b *balancer) start() {
	if len(b.addrs) == 1 {
		b.now.Store(b.addrs[0])
		return
	}
	for _, addr := range b.addrs {
		b.checks.Go(func() { b.follow(addr) })
	}
}

func (b *balancer) stop() {
	b.cancel()
	b.checks.Wait()
}

func (b *balancer) follow(addr string) {
	for b.ctx.Err() == nil {
		if b.check(addr) {
			b.now.Store(addr)
		} else {
			b.now.CompareAndSwap(addr, "")
		}
		select {
		case <-time.After(checkEvery):
		case <-b.ctx.Done():
		}
	}
}

func (b *balancer) check(addr string) bool {
	ctx, cancel := context.WithTimeout(b.ctx, checkTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/active", http.NoBody)
	if err != nil {
		return false
	}
	response, err := b.http.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
