package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// A crowd is a process that is a candidate for many Leases, with one client. The
// program, or the test binary, executes itself with envCrowd set. On stdin it is
// told its crowdSpec and then words, until its end: "use" to report what it uses, or
// a Lease's name to have its replica of that one stop, release it, and stand again.
const envCrowd = "HOTSEAT_BENCH_CROWD"

type crowdSpec struct {
	Elector, Name string
	Host, Token   string
	CA            []byte
	Leases        int
	Timing        timing
}

// crowdLease is the name of one of its Leases.
func crowdLease(elector string, i int) string { return fmt.Sprintf("crowd-%s-%d", elector, i) }

// use is what a process uses.
type use struct {
	Memory      int64 // bytes of heap and stacks, after a garbage collection
	Resident    int64 // bytes
	Goroutines  int
	Connections int
	CPU         time.Duration
}

// crowd is such a process' inside.
type crowd struct {
	spec   crowdSpec
	e      elector
	client kubernetes.Interface
	link   *link

	mu    sync.Mutex // of out
	out   *json.Encoder
	stops sync.Map // of a Lease's name: its replica's context.CancelFunc
}

func runCrowd() error {
	c := &crowd{link: newLink(), out: json.NewEncoder(os.Stdout)}
	in := json.NewDecoder(os.Stdin)
	if err := in.Decode(&c.spec); err != nil {
		return err
	}
	var err error
	if c.e, err = electorNamed(c.spec.Elector); err != nil {
		return err
	}
	c.client, err = kubernetes.NewForConfig(c.link.over(&rest.Config{
		Host: c.spec.Host, BearerToken: c.spec.Token, QPS: -1, TLSClientConfig: rest.TLSClientConfig{CAData: c.spec.CA},
	}))
	if err != nil {
		return err
	}
	if _, err := c.client.Discovery().ServerVersion(); err != nil { // the connection is part of the base
		return err
	}
	c.tell(event{Kind: "used", Use: c.use()})
	for i := range c.spec.Leases {
		go c.stand(crowdLease(c.spec.Elector, i)) // until the process ends
	}
	return c.obey(in)
}

func (c *crowd) obey(in *json.Decoder) error {
	for {
		var word string
		if err := in.Decode(&word); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if word == "use" {
			c.tell(event{Kind: "used", Use: c.use()})
			continue
		}
		stop, ok := c.stops.Load(word)
		if !ok {
			return fmt.Errorf("%s is not a candidate for %q", c.spec.Name, word)
		}
		c.tell(event{Kind: "stopping", Lease: word, At: time.Now()})
		stop.(context.CancelFunc)()
	}
}

func (c *crowd) tell(e event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.out.Encode(e); err != nil {
		os.Exit(1) // whoever started this is gone
	}
}

// stand is a candidate for one Lease for ever. After a stop it stays away until
// even a polling standby has seen the release.
func (c *crowd) stand(lease string) {
	for {
		ctx, stop := context.WithCancel(context.Background())
		c.stops.Store(lease, stop)
		err := c.e.stand(ctx, replica{
			client: c.client, lease: lease, identity: c.spec.Name, timing: c.spec.Timing, release: true,
			work: func(ctx context.Context, _ func() bool, _ int64) error {
				c.tell(event{Kind: "started", Lease: lease, At: time.Now()})
				<-ctx.Done()
				return ctx.Err()
			},
		})
		stop()
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %s: %v\n", c.spec.Name, lease, err)
		}
		time.Sleep(3 * cmp.Or(c.spec.Timing.RetryPeriod, defaults().RetryPeriod))
	}
}

func (c *crowd) use() use {
	for range 4 { // stacks shrink by half each time
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return use{
		Memory: int64(m.HeapInuse + m.StackInuse), Resident: resident(),
		Goroutines: runtime.NumGoroutine(), Connections: c.link.open(),
		CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano()),
	}
}

// resident is this process' resident memory, 0 where the kernel does not say.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var total, pages int64
	if _, err := fmt.Fscan(strings.NewReader(string(text)), &total, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
