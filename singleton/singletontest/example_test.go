package singletontest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// Invoicer stands for a service of yours that must run once.
type Invoicer struct {
	Name string

	mu      sync.Mutex // work runs on a goroutine of its own
	working bool
	ended   error
}

// Run is what its main calls with a client from singleton.DefaultClient.
func (i *Invoicer) Run(ctx context.Context, elector *singleton.Elector) error {
	return elector.Run(ctx, func(ctx context.Context, _ *singleton.Term) error {
		i.set(true, nil)
		<-ctx.Done()
		i.set(false, context.Cause(ctx))
		return nil
	})
}

func (i *Invoicer) set(working bool, ended error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.working, i.ended = working, ended
}

// Working reports whether it is at work.
func (i *Invoicer) Working() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.working
}

// Ended is why the last term ended.
func (i *Invoicer) Ended() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.ended
}

// start runs two replicas on one cluster, a first.
func start(t *testing.T) (c *singletontest.Cluster, a, b *Invoicer) {
	c = singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	t.Cleanup(c.Close)
	ctx, cancel := context.WithCancel(context.Background())
	replica := func(name string) *Invoicer {
		elector, err := singleton.New(c.Client(name), singleton.Config{Name: "invoicer", Namespace: "shop", Replica: singleton.ReplicaConfig{Identity: name}})
		require.NoError(t, err)
		i, done := &Invoicer{Name: name}, make(chan struct{})
		go func() { defer close(done); _ = i.Run(ctx, elector) }()
		t.Cleanup(func() { cancel(); <-done })
		synctest.Wait() // until it is active, or stands by
		return i
	}
	return c, replica("a"), replica("b")
}

// wait lets virtual time pass, and everything happen that is due by then.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// Inside a bubble time is virtual: this test takes milliseconds.
func TestPartitionOfMyService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a, b := start(t)
		require.True(t, a.Working())
		require.False(t, b.Working())

		c.Link("a").BlackHole() // a is partitioned
		wait(11 * time.Second)
		require.False(t, a.Working())
		require.ErrorIs(t, a.Ended(), singleton.ErrLost)
		wait(5 * time.Second)
		require.True(t, b.Working())

		c.Link("a").Heal()
		wait(time.Minute)
		require.False(t, a.Working(), "it stands by again")
		require.True(t, b.Working())
	})
}

func TestMyServiceLosesTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a, _ := start(t)
		require.NoError(t, c.EditLease(func(l *coordv1.Lease) {
			intruder := "somebody else"
			l.Spec.HolderIdentity = &intruder
		}))
		synctest.Wait()
		require.False(t, a.Working())
		require.ErrorContains(t, a.Ended(), `taken by "somebody else"`)
	})
}

func TestMyServiceThroughAnAPIOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a, b := start(t)
		for _, name := range []string{"a", "b"} {
			remove := c.Link(name).Inject(singletontest.Fault{Status: 503})
			time.AfterFunc(8*time.Second, remove)
		}
		wait(time.Minute)
		require.True(t, a.Working(), "shorter than RenewDeadline: nobody noticed")
		require.False(t, b.Working())
	})
}

// Storm runs ten scripts of faults on the service's own start function.
func TestMyServiceInAStorm(t *testing.T) {
	singletontest.Storm(t, func(ctx context.Context, r *singletontest.Replica) error {
		elector, err := singleton.New(r.Client, singleton.Config{
			Name: r.Lease, Namespace: r.Namespace, Replica: singleton.ReplicaConfig{Identity: r.Name},
		})
		if err != nil {
			return err
		}
		return elector.Run(ctx, r.Work(func(ctx context.Context, _ *singleton.Term) error {
			<-ctx.Done() // the service's work
			return nil
		}))
	})
}

// Outside of a bubble, as in a main function, the cluster works in real time.
func Example() {
	c := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer c.Close()
	elector, err := singleton.New(c.Client("a"), singleton.Config{Name: "invoicer", Namespace: "shop"})
	if err != nil {
		panic(err)
	}
	err = elector.Run(context.Background(), func(ctx context.Context, term *singleton.Term) error {
		fmt.Println("active:", term.Valid(), ctx.Err())
		return nil // ends the term
	})
	fmt.Println("released:", *c.Lease().Spec.HolderIdentity == "", err)
	// Output:
	// active: true <nil>
	// released: true <nil>
}
