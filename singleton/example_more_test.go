package singleton_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// replica makes the elector of one replica.
func replica(c *singletontest.Cluster, name string, change ...func(*singleton.Config)) *singleton.Elector {
	config := singleton.Config{
		Name: "invoicer", Namespace: "shop", Replica: singleton.ReplicaConfig{Identity: name}, Logger: quiet(),
	}
	for _, f := range change {
		f(&config)
	}
	elector, err := singleton.New(c.Client(name), config)
	if err != nil {
		panic(err)
	}
	return elector
}

// run runs it in the background. stop returns once Run has.
func run(e *singleton.Elector, work singleton.Work) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = e.Run(ctx, work)
	}()
	return func() {
		cancel()
		<-done
	}
}

func shop() *singletontest.Cluster {
	return singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
}

// A program that has a rest.Config makes the elector's client from it. The client ignores QPS and
// Timeout.
func ExampleNewClient() {
	config := &rest.Config{Host: "https://192.0.2.1", QPS: 5, Timeout: 10 * time.Second}
	client, err := singleton.NewClient(config)
	if err != nil {
		panic(err)
	}
	elector, err := singleton.New(client, singleton.Config{Name: "invoicer", Namespace: "shop"})
	fmt.Println(elector.Scope(), err)
	// Output: shop/invoicer <nil>
}

// OnAcquire and OnLose are called at each term's beginning and end, and OnHolder for each holder.
func ExampleHooks() {
	cluster := shop()
	defer cluster.Close()
	elector := replica(cluster, "a", func(c *singleton.Config) {
		c.Hooks = singleton.Hooks{
			OnAcquire: func(_ context.Context, term *singleton.Term) { fmt.Println("acquired:", term.Valid()) },
			OnLose:    func(_ *singleton.Term, cause error) { fmt.Println("over:", cause) },
		}
	})
	err := elector.Run(context.Background(), func(context.Context, *singleton.Term) error { return errors.New("no work left") })
	fmt.Println("Run:", err)
	// Output:
	// acquired: true
	// over: returned: no work left
	// Run: no work left
}

// A program's own hooks and those of a package, of singleton/events for example, make one value.
func ExampleJoinHooks() {
	cluster := shop()
	defer cluster.Close()
	named := func(name string) singleton.Hooks {
		return singleton.Hooks{OnLose: func(*singleton.Term, error) { fmt.Println(name, "knows") }}
	}
	elector := replica(cluster, "a", func(c *singleton.Config) {
		c.Hooks = singleton.JoinHooks(named("the first"), named("the second"))
	})
	_ = elector.Run(context.Background(), func(context.Context, *singleton.Term) error { return nil })
	// Output:
	// the first knows
	// the second knows
}

// Resign hands over to a standby, in milliseconds. The replica that resigned stands back for
// HoldOff, and then stands by.
func ExampleElector_Resign() {
	cluster := shop()
	defer cluster.Close()
	a, b := replica(cluster, "a"), replica(cluster, "b")
	idle := func(ctx context.Context, _ *singleton.Term) error { <-ctx.Done(); return nil }
	defer run(a, idle)()
	_, _ = a.WaitActive(context.Background())
	defer run(b, idle)()
	for b.Ready() != nil {
		time.Sleep(time.Millisecond)
	}
	a.Resign()
	term, err := b.WaitActive(context.Background())
	fmt.Println(term.Valid(), err, a.IsActive())
	// Output: true <nil> false
}

// Work reports its progress. If it hangs, its term ends.
func ExampleTerm_Progress() {
	cluster := shop()
	defer cluster.Close()
	elector := replica(cluster, "a", func(c *singleton.Config) {
		c.OneTerm = true
		c.Timing.RetryPeriod = 100 * time.Millisecond
		c.Replica.ProgressWithin = 500 * time.Millisecond // a real program takes a minute, say
	})
	err := elector.Run(context.Background(), func(ctx context.Context, term *singleton.Term) error {
		for i := range 2 {
			fmt.Println("billed invoice", i)
			term.Progress()
		}
		<-ctx.Done() // the third one hangs
		return context.Cause(ctx)
	})
	if end, ok := errors.AsType[*singleton.EndError](err); ok {
		fmt.Println("the term has", end.Reason)
	}
	// Output:
	// billed invoice 0
	// billed invoice 1
	// the term has stalled
}

// A replica that is about to be taken down is made ineligible, and then resigns: it goes on
// observing, and acquires nothing.
func ExampleElector_SetEligible() {
	cluster := shop()
	defer cluster.Close()
	a := replica(cluster, "a")
	defer run(a, func(ctx context.Context, _ *singleton.Term) error { <-ctx.Done(); return context.Cause(ctx) })()
	term, _ := a.WaitActive(context.Background())
	a.SetEligible(false)
	a.Resign()
	for a.Status().State != singleton.StateStandby {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(term.Valid(), a.Ready())
	// Output: false <nil>
}

// A program whose parts cannot start twice runs one term, and exits. The kubelet starts it again.
func ExampleConfig_oneTerm() {
	cluster := shop()
	defer cluster.Close()
	elector := replica(cluster, "a", func(c *singleton.Config) { c.OneTerm = true })
	err := elector.Run(context.Background(), func(ctx context.Context, term *singleton.Term) error {
		term.Resign() // or it is lost
		<-ctx.Done()
		return nil
	})
	var end *singleton.EndError
	fmt.Println(errors.As(err, &end), end.Reason)
	// Output: true resigned
}

// If work cannot be relied on to return when its context ends, end the process: a dead process does
// no work.
func ExampleExitOnOverrun() {
	config := singleton.Config{
		Name: "invoicer", Namespace: "shop",
		Hooks:   singleton.Hooks{OnOverrun: singleton.ExitOnOverrun}, // status 3, once the stop budget is spent
		Replica: singleton.ReplicaConfig{DrainLimit: time.Minute},    // or once work has drained for that long
	}
	cluster := shop()
	defer cluster.Close()
	elector, err := singleton.New(cluster.Client("a"), config)
	fmt.Println(elector.Live(), err)
	// Output: <nil> <nil>
}

// An API server that was restored from a backup hands out lower epochs than the database has seen.
// A term may raise its own epoch above that mark.
func ExampleTerm_Raise() {
	cluster := shop()
	defer cluster.Close()
	elector := replica(cluster, "a", func(c *singleton.Config) { c.Fencing.MaxRaise = 1_000_000 })
	err := elector.Run(context.Background(), func(ctx context.Context, term *singleton.Term) error {
		var stale *fencing.StaleError
		if err := write(term.Token()); errors.As(err, &stale) {
			if err := term.Raise(ctx, stale.Mark.Epoch); err != nil {
				return err
			}
		}
		fmt.Println("epoch:", term.Token().Epoch)
		return write(term.Token())
	})
	fmt.Println(err)
	// Output:
	// epoch: 5001
	// <nil>
}

// write stands for a database that has seen epoch 5000.
func write(t fencing.Token) error {
	mark := fencing.Token{Scope: t.Scope, Epoch: 5000, Term: "0123456789abcdef0123456789abcdef"}
	_, err := fencing.Judge(t, mark)
	return err
}

// A process that is a candidate for many Leases of one namespace needs only one watch for all of
// them.
func ExampleSharedWatch() {
	cluster := shop()
	defer cluster.Close()
	watch := singleton.NewSharedWatch(cluster.Client("a"), "shop", quiet())
	elector := replica(cluster, "a", func(c *singleton.Config) { c.Replica.SharedWatch = watch }) // and so on, for each Lease
	err := elector.Run(context.Background(), func(_ context.Context, term *singleton.Term) error {
		fmt.Println("active:", term.Valid())
		return nil
	})
	fmt.Println(err)
	// Output:
	// active: true
	// <nil>
}

// Readiness and liveness probes ask the elector. A standby is ready: it is able to take over.
func ExampleElector_Ready() {
	cluster := shop()
	defer cluster.Close()
	elector := replica(cluster, "a")
	fmt.Println(elector.Ready())
	// Output: singleton: stopped
}

// A load balancer asks each replica whether it is the active one.
func ExampleElector_RoleHandler() {
	cluster := shop()
	defer cluster.Close()
	elector := replica(cluster, "a")
	mux := http.NewServeMux() // the replica's server
	mux.Handle("/active", elector.RoleHandler())
	server := httptest.NewServer(mux)
	defer server.Close()
	ask := func() {
		answer, err := http.Get(server.URL + "/active")
		if err != nil {
			panic(err)
		}
		defer answer.Body.Close()
		fmt.Println(answer.Status)
	}
	ask()
	_ = elector.Run(context.Background(), func(context.Context, *singleton.Term) error {
		ask()
		return nil
	})
	ask()
	// Output:
	// 503 Service Unavailable
	// 200 OK
	// 503 Service Unavailable
}
