package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// A replica can be a process of its own, since only those can be frozen: the
// program, or the test binary, executes itself with envReplica set.
const envReplica = "HOTSEAT_BENCH_REPLICA" // a replicaSpec in JSON

type replicaSpec struct {
	Elector, Name, URL, Lease string
	Timing                    timing
	Release                   bool
	Poll                      time.Duration
}

// event is a line that such a process prints.
type event struct {
	Kind  string // started, woke or ended; of a crowd: used, stopping or started
	At    time.Time
	Token int64  // with started
	Leads bool   // with woke: the first answer after the process stood still
	Lease string // of a crowd
	Use   use    // with used
}

// isReplica runs the replica, or the crowd of them, if this process is to be one.
func isReplica() bool {
	for env, run := range map[string]func(string) error{envReplica: runReplica, envCrowd: runCrowd} {
		text, ok := os.LookupEnv(env)
		if !ok {
			continue
		}
		if err := run(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return true
	}
	return false
}

// runReplica stands until SIGTERM, or until whoever started it is gone.
func runReplica(text string) error {
	var spec replicaSpec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return err
	}
	e, err := electorNamed(spec.Elector)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
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
	cmd    *exec.Cmd
	in     io.WriteCloser
	events chan event    // closed when it ended
	read   chan struct{} // closed when there is no more of them
}

// startProcess starts a replica that ends with the test at the latest.
func startProcess(t *testing.T, spec replicaSpec) *process {
	t.Helper()
	return startSelf(t, spec.Elector+" "+spec.Name, envReplica, spec)
}

// startCrowd starts a crowd in the same way.
func startCrowd(t *testing.T, spec crowdSpec) *process {
	t.Helper()
	return startSelf(t, spec.Name, envCrowd, spec)
}

func startSelf(t *testing.T, name, env string, spec any) *process {
	t.Helper()
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{
		t: t, name: name, cmd: exec.CommandContext(t.Context(), self),
		events: make(chan event, 4096), read: make(chan struct{}),
	}
	p.cmd.Env = append(os.Environ(), env+"="+string(text))
	p.cmd.Stderr = os.Stderr
	// It reads to the end of stdin, which comes when we are gone. If it is frozen
	// then, being a group of its own has the kernel wake it with SIGHUP.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.read)
		defer close(p.events)
		for lines := json.NewDecoder(stdout); ; {
			var e event
			if lines.Decode(&e) != nil {
				return
			}
			p.events <- e
		}
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends it, frozen or not, and waits until it is gone. It may be called
// twice. Events that nobody takes are lost.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	for range p.events { // none may hold up the reader
	}
	<-p.read
	_ = p.cmd.Wait()
	_ = p.in.Close()
}

// say writes a line to its stdin.
func (p *process) say(line string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
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
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("%s: %v: %v", p.name, s, err)
	}
}
