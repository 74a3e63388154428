// Command replica is a replica in a Pod. It reports to the test by datagrams, so that nobody has to
// read it. GET /crash?how=panic|exit|oom ends it.
//
//   - As a rule it is one of package trial's, and writes to the test's ledger. With ROLLOUT, the JSON of
//     a rollout.Config, it follows its Pod.
//   - With WAY or TRAFFIC it serves requests, and leads them to the active in the way of that name.
//   - EVIDENCE and TRAFFIC are what components of examples/deploy set.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/hotseat-go/hotseat/internal/e2e/trial"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/evidence"
	"github.com/hotseat-go/hotseat/singleton/rollout"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	address := os.Getenv("REPORT")
	connection, err := net.Dial("udp", address)
	if err != nil {
		return fmt.Errorf("REPORT=%s: %w", address, err)
	}
	r := &reporter{
		connection: connection, name: os.Getenv("POD_NAME"), pid: 1 + rand.IntN(1<<30),
	}
	life := r.onTrial
	if way := cmp.Or(os.Getenv("WAY"), os.Getenv("TRAFFIC")); way != "" {
		life = func(ctx context.Context) error { return r.inTraffic(ctx, way) }
	}
	r.say(trial.Started, "")
	context.AfterFunc(ctx, func() { r.say(trial.Ending, "SIGTERM") })
	err = life(ctx)
	if ctx.Err() != nil {
		r.say(trial.Ending, "SIGTERM") // before the end, also if the other one is late
	}
	r.say(trial.Exited, fmt.Sprint(err)) // all that it does is done
	return err
}

// onTrial writes to the ledger.
func (r *reporter) onTrial(ctx context.Context) error {
	var spec trial.Spec
	if err := json.Unmarshal([]byte(os.Getenv("TRIAL")), &spec); err != nil {
		return fmt.Errorf("TRIAL: %w", err)
	}
	spec.Name, spec.Namespace = r.name, os.Getenv("POD_NAMESPACE")
	client, err := singleton.DefaultClient()
	if err != nil {
		return err
	}
	answer := func(ready, live func() error) {
		mux := http.NewServeMux()
		probes(mux, ready, live)
		go serve(mux)
	}
	var following sync.WaitGroup
	defer following.Wait()
	follow, err := follower(client)
	if err != nil {
		return err
	}
	means := trial.Means{
		Client: client, Report: r.report, PID: r.pid,
		Candidate: func(e *singleton.Elector) {
			answer(e.Ready, e.Live)
			following.Go(func() { follow(ctx, e) })
		},
	}
	if os.Getenv("EVIDENCE") == "pods" {
		if means.Evidence, err = evidence.NewPods(client, evidence.Config{}); err != nil {
			return err
		}
	}
	if spec.Peer { // it has no elector of ours
		always := func() error { return nil }
		answer(always, always)
	}
	return trial.Run(ctx, spec, means)
}

// follower has package rollout follow the own Pod, if ROLLOUT says so.
func follower(client *singleton.Client) (func(context.Context, *singleton.Elector), error) {
	text := os.Getenv("ROLLOUT")
	if text == "" {
		return func(context.Context, *singleton.Elector) {}, nil
	}
	var config rollout.Config
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return nil, fmt.Errorf("ROLLOUT: %w", err)
	}
	f, err := rollout.New(client, config)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, e *singleton.Elector) {
		if err := f.Run(ctx, e); err != nil {
			log.Print(err)
		}
	}, nil
}

// reporter tells the test what happens. This process's id is 1 like everybody's in a Pod, so it has
// another one.
type reporter struct {
	connection net.Conn
	name       string
	pid        int
}

func (r *reporter) say(what trial.Kind, text string) {
	r.report(trial.Event{
		At: trial.Now(), Kind: what, Replica: r.name, PID: r.pid, Text: text,
	})
}

func (r *reporter) report(e trial.Event) {
	line, err := json.Marshal(e)
	if err != nil {
		log.Print(err)
		return
	}
	_, _ = r.connection.Write(line)
}

// probes answers those of examples/deploy.
func probes(mux *http.ServeMux, ready, live func() error) {
	probe := func(check func() error) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if err := check(); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
			}
		}
	}
	mux.Handle("/readyz", probe(ready))
	mux.Handle("/livez", probe(live))
	mux.HandleFunc("/crash", func(_ http.ResponseWriter, r *http.Request) {
		go crash(r.FormValue("how"))
	})
}

// port is that of examples/deploy.
const port = ":8080"

func serve(mux *http.ServeMux) {
	server := &http.Server{Addr: port, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}

func crash(how string) {
	switch how {
	case "panic":
		panic("as told")
	case "exit":
		os.Exit(3)
	case "oom":
		for all := []byte{1}; ; {
			all = append(all, all...) // copies, so that the memory is touched
		}
	}
}
