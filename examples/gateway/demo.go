package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/examples/gateway/client"
	"github.com/hotseat-go/hotseat/internal/proc"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

const (
	// enough is far above what anything in the demo takes.
	enough = time.Minute
	// quiet is how long the demo leaves the replicas alone.
	quiet = time.Second
)

// stage is what the demo plays on: an API server, model servers and three replicas, all on this
// machine. Each replica is a process with the environment and the flags that it has in a Pod.
type stage struct {
	out      io.Writer
	dir      string // of the replicas' logs and the kubeconfigs
	api      string // URL
	models   string // host:port
	fleet    *fleet
	addrs    map[string]string
	replicas map[string]*proc.Process
	client   *client.Client
}

// demo plays the acts, and returns what the client saw. The error says what should not have been.
func demo(ctx context.Context, out io.Writer) (rows []client.Row, err error) {
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cluster := singletontest.New(singletontest.Options{Namespace: "llm", Lease: "gateway"})
	defer cluster.Close()
	s := &stage{
		out: out, dir: dir, fleet: new(fleet),
		addrs: map[string]string{}, replicas: map[string]*proc.Process{},
	}
	if s.api, err = cluster.Listen(); err != nil {
		return nil, err
	}
	ports, err := proc.FreePorts(4)
	if err != nil {
		return nil, err
	}
	s.models = "127.0.0.1:" + ports[3]
	ctx, fail := context.WithCancelCause(ctx)
	var models sync.WaitGroup
	models.Go(func() { fail(serve(ctx, s.models, s.fleet)) })
	defer models.Wait()
	defer fail(nil)
	defer s.stop()
	return s.play(ctx, ports[:3])
}

// play starts the replicas and a client, and plays all acts.
func (s *stage) play(ctx context.Context, ports []string) ([]client.Row, error) {
	var addrs []string
	for i, name := range []string{"a", "b", "c"} {
		s.addrs[name] = "127.0.0.1:" + ports[i]
		addrs = append(addrs, s.addrs[name])
		if err := s.start(name); err != nil {
			return nil, err
		}
	}
	if err := s.allReady(ctx); err != nil {
		return nil, err
	}
	s.client = client.Start(client.Config{Addrs: addrs})
	err := s.acts(ctx)
	s.client.Stop()
	return s.client.Rows(), errors.Join(err, s.client.Audit())
}

// act ends the active's process.
type act struct {
	name, what string
	end        func(*proc.Process) error
	silent     bool // the model servers show no metrics meanwhile
}

func (s *stage) acts(ctx context.Context) error {
	first, err := s.next(ctx, 0)
	if err != nil {
		return err
	}
	s.say("Three replicas are ready. %s is active, and the others stand by.", first.Replica)
	s.client.Begin("undisturbed")
	sleep(ctx, quiet)
	for _, a := range []act{
		{name: "handover", what: "SIGTERM to", end: (*proc.Process).Terminate},
		{name: "crash", what: "kill -9 to", end: kill},
		{name: "crash without metrics", what: "No more metrics of the model servers, and kill -9 to", end: kill, silent: true},
	} {
		if err := s.act(ctx, a); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	return nil
}

// act waits for the next active's first pick. Then it starts another replica in the place of the one
// that ended, as a Deployment does.
func (s *stage) act(ctx context.Context, a act) error {
	old, err := s.next(ctx, 0)
	if err != nil {
		return err
	}
	s.client.Begin(a.name)
	looks := s.fleet.silence(a.silent)
	s.say("%s %s.", a.what, old.Replica)
	if err := a.end(s.replicas[old.Replica]); err != nil {
		return err
	}
	pick, err := s.next(ctx, old.Epoch)
	if err != nil {
		return err
	}
	s.say("  %s picks, from a cache that is %d ms old.", pick.Replica, pick.AgeMillis)
	if more := s.fleet.silence(false) - looks; a.silent && more > 0 {
		return fmt.Errorf("the model servers answered %d looks although they were silent", more)
	}
	<-s.replicas[old.Replica].Exited()
	if err := s.start(old.Replica); err != nil {
		return err
	}
	if err := s.allReady(ctx); err != nil {
		return err
	}
	sleep(ctx, quiet)
	return ctx.Err()
}

func kill(p *proc.Process) error {
	p.Kill()
	return nil
}

// next waits for the first pick of a term after that of the epoch.
func (s *stage) next(ctx context.Context, epoch int64) (client.Pick, error) {
	ctx, cancel := context.WithTimeout(ctx, enough)
	defer cancel()
	return s.client.Next(ctx, epoch)
}

// start starts a replica.
func (s *stage) start(name string) error {
	kubeconfig := filepath.Join(s.dir, name+".kubeconfig")
	err := os.WriteFile(kubeconfig, fmt.Appendf(nil, `{"apiVersion": "v1", "kind": "Config",
"current-context": "demo", "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "demo"}}],
"clusters": [{"name": "demo", "cluster": {"server": %q}}],
"users": [{"name": "demo", "user": {"token": %q}}]}`, s.api, name), 0o600)
	if err != nil {
		return err
	}
	cmd := proc.Self("-listen", s.addrs[name], "-models", "http://"+s.models,
		"-lease-duration", "3s", "-renew-deadline", "2s", "-retry-period", "400ms") // to be watched
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "POD_NAMESPACE=llm", "POD_NAME="+name)
	p, err := proc.Start(cmd, proc.Options{Log: filepath.Join(s.dir, name+".log")})
	if err == nil {
		s.replicas[name] = p
	}
	return err
}

// allReady waits until the readiness probe of each replica succeeds.
func (s *stage) allReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, enough)
	defer cancel()
	for name, p := range s.replicas {
		if err := p.Await(ctx, func(ctx context.Context) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addrs[name]+"/readyz", http.NoBody)
			if err != nil {
				return err
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return err
			}
			defer response.Body.Close()
			if response.StatusCode != http.StatusOK {
				return errors.New(response.Status)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// stop kills all replicas.
func (s *stage) stop() {
	for _, p := range s.replicas {
		p.Kill()
	}
}

func (s *stage) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// serve serves until ctx ends.
func serve(ctx context.Context, addr string, handler http.Handler) error {
	server := &http.Server{Addr: addr, Handler: handler, ReadHeaderTimeout: time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err := server.ListenAndServe()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// fleet is the model servers' metrics. They are made up.
type fleet struct {
	mu     sync.Mutex
	silent bool
	looks  int // that were answered
}

// silence stops the answers, or lets them go on, and returns how many there were.
func (f *fleet) silence(silent bool) (looks int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.silent = silent
	return f.looks
}

func (f *fleet) answers() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.silent {
		f.looks++
	}
	return !f.silent
}

func (f *fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.answers() {
		<-r.Context().Done()
		return
	}
	now := float64(time.Now().UnixMilli()) / 1000
	var models []model
	for i, prefix := range []string{"You are a lawyer.", "You are a poet.", "You translate to French."} {
		models = append(models, model{
			Name: fmt.Sprint("gpu-", i), Queue: int(5 + 4*math.Sin(now+float64(i))), Prefixes: []string{prefix},
		})
	}
	_ = json.NewEncoder(w).Encode(models)
}
