package main

import (
	"context"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/hotseat-go/hotseat/internal/scenario"
)

// probe writes a Lease of its own now and then while something else is measured:
// a server that takes seconds for a write explains what no elector can help.
type probe struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	times  []time.Duration
	err    error
}

func startProbe(t *testing.T, at place, name string) *probe {
	t.Helper()
	at.createLease(t, name)
	ctx, cancel := context.WithCancel(context.Background())
	p := &probe{cancel: cancel}
	p.done.Go(func() { p.err = p.run(ctx, at, name) })
	return p
}

func (p *probe) run(ctx context.Context, at place, name string) error {
	link := newLink()
	defer link.cut()
	client, err := kubernetes.NewForConfig(link.over(at.account(name)))
	if err != nil {
		return err
	}
	leases := client.CoordinationV1().Leases(scenario.Namespace)
	lease, err := leases.Get(ctx, name, metav1.GetOptions{})
	for err == nil {
		began := time.Now()
		now := metav1.NewMicroTime(began)
		lease.Spec.RenewTime = &now
		if lease, err = leases.Update(context.WithoutCancel(ctx), lease, metav1.UpdateOptions{}); err != nil {
			break
		}
		p.times = append(p.times, time.Since(began))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
	return err
}

// stop returns how long its writes took.
func (p *probe) stop(t *testing.T) spread {
	t.Helper()
	p.cancel()
	p.done.Wait()
	if p.err != nil {
		t.Errorf("probe: %v", p.err)
	}
	return newSpread(p.times)
}
