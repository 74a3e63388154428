package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/proc"
)

// A replica can be a process of its own, since only those can be frozen: the
// program, or the test binary, executes itself with envReplica set. It is told
// its replicaSpec.
const envReplica = "HOTSEAT_BENCH_REPLICA"

type replicaSpec struct {
	Elector, Name, URL, Lease string
	Timing                    timing
	Release                   bool
	Poll                      time.Duration
}

// event is a line that such a process prints.
type event struct {
	Kind  string // started, woke or ended
	At    time.Time
	Token int64 // with started
	Leads bool  // with woke: the first answer after the process stood still
}

// isReplica runs the replica if this process is to be one.
func isReplica() bool {
	if os.Getenv(envReplica) == "" {
		return false
	}
	if err := runReplica(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

// runReplica stands until SIGTERM, or until whoever started it is gone.
func runReplica() error {
	var spec replicaSpec
	if err := proc.Told(&spec); err != nil {
		return err
	}
	e, err := electorNamed(spec.Elector)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return e.stand(ctx, replica{
		config: &rest.Config{Host: spec.URL, BearerToken: spec.Name, QPS: -1},
		lease:  spec.Lease, identity: spec.Name, timing: spec.Timing,
		release: spec.Release, poll: spec.Poll,
		work: reportWork(json.NewEncoder(os.Stdout)),
	})
}

// reportWork is work that looks each millisecond whether it still leads and
// whether its context ended.
func reportWork(out *json.Encoder) work {
	return func(ctx context.Context, leads func() bool, token int64) error {
		last := time.Now()
		if err := out.Encode(event{Kind: "started", At: last, Token: token}); err != nil {
			return err
		}
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			now, says := time.Now(), leads()
			if now.Sub(last) > time.Second {
				if err := out.Encode(event{Kind: "woke", At: now, Leads: says}); err != nil {
					return err
				}
			}
			last = now
			if ctx.Err() != nil {
				break
			}
		}
		return out.Encode(event{Kind: "ended", At: time.Now()})
	}
}

// process is a replica's, seen from the one that started it.
type process struct {
	t      *testing.T
	name   string
	child  *proc.Process
	events chan event // closed when it ended
}

// startProcess starts a replica that ends with the test at the latest.
func startProcess(t *testing.T, spec replicaSpec) *process {
	t.Helper()
	p := &process{t: t, name: spec.Elector + " " + spec.Name, events: make(chan event, 4096)}
	cmd := proc.Self()
	cmd.Env = append(os.Environ(), envReplica+"=1")
	cmd.Stderr = os.Stderr
	var err error
	p.child, err = proc.Start(cmd, proc.Options{
		Tell: spec,
		Out: func(line []byte) {
			var e event
			if json.Unmarshal(line, &e) == nil {
				p.events <- e
			}
		},
		Ended: func(error) { close(p.events) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// kill ends it, frozen or not, and waits until it is gone. It may be called
// twice. Events that nobody takes are lost.
func (p *process) kill() {
	_ = p.child.Signal(os.Kill)
	for range p.events { // none may hold up its end
	}
	<-p.child.Exited()
}

// await returns the next event of that kind (empty: of any), passing over
// others, if it comes in time.
func (p *process) await(kind string, timeout time.Duration) (event, bool) {
	after := time.After(timeout)
	for {
		select {
		case e, ok := <-p.events:
			if !ok || e.Kind == kind || kind == "" {
				return e, ok
			}
		case <-after:
			return event{}, false
		}
	}
}

// must is await for what has to come.
func (p *process) must(kind string) event {
	p.t.Helper()
	const patience = 30 * time.Second // many leases long
	e, ok := p.await(kind, patience)
	if !ok {
		p.t.Fatalf("%s has not %s within %v", p.name, kind, patience)
	}
	return e
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.child.Signal(s); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}
