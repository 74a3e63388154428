//go:build unix

package trial

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/proc"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// Spec is what a replica is told, as one line on its standard input.
type Spec struct {
	Name string
	// Server is the address of its wire, host:port; ServerName what the API
	// server's certificate is for, with CA its issuer.
	Server, ServerName string
	CA                 []byte
	Insecure           bool   // the server's certificate is not looked at
	Token              string // of a ServiceAccount
	Namespace, Lease   string
	Ledger             string // URL
	Timing             lease.Timing
	Write              time.Duration // the work before each record
	Drain              time.Duration // for how long it goes on writing when told to end
	// Overstay is for how long it goes on writing when it may not any more: what an audit must find.
	Overstay time.Duration
	// Progress is how often its work has to report progress; 0: it need not.
	Progress time.Duration
	MaxRaise int64
	Floor    bool // the ledger's mark bounds each new epoch
	// Evidence has its Pod prove that its process died: see Means.Evidence.
	Evidence bool
	// Peer makes it a candidate of client-go's elector, which gives no token:
	// it writes nothing.
	Peer bool
	// Keep has client-go's elector keep the Lease when it ends (ReleaseOnCancel).
	Keep bool
	// Lock has it elect by client-go's elector over a lock of hotseat's.
	Lock bool
}

// Login makes the replica a client with that configuration, which has a
// bearer token, but for its wire.
func (s *Spec) Login(config *rest.Config) {
	s.ServerName, s.CA, s.Insecure, s.Token = config.ServerName, config.CAData, config.Insecure, config.BearerToken
	if u, err := url.Parse(config.Host); err == nil && s.ServerName == "" {
		s.ServerName = u.Hostname()
	}
}

const envReplica = "HOTSEAT_TRIAL_REPLICA"

// IsReplica is the whole life of a replica if this process is to be one, and
// says whether it was. SIGTERM ends it gracefully; the end of standard input, at
// once. On SIGUSR1 it freezes itself (SIGSTOP) between deciding on a record and
// sending it. On SIGUSR2 its work hangs until its context ends.
func IsReplica() bool {
	if os.Getenv(envReplica) == "" {
		return false
	}
	if err := runReplica(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func runReplica() error {
	var spec Spec
	if err := proc.Told(&spec); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return Run(ctx, spec, Means{})
}

// Means are what a replica works with that is no child of the trial: one in a Pod, say. The zero value
// is for a child.
type Means struct {
	// Client reaches the API server; nil: over the replica's wire.
	Client *singleton.Client
	// Evidence of the replicas' deaths; nil: there is none.
	Evidence singleton.Evidence
	// Report tells the trial; nil: on standard output. It is called by several goroutines.
	Report func(Event)
	// PID stands for the process in what it reports; 0: its process id.
	PID int
	// Candidate is told of the elector before that runs; nil: nothing is called.
	Candidate func(*singleton.Elector)
}

// Run is the life of a replica until ctx ends.
func Run(ctx context.Context, spec Spec, m Means) error {
	r := &replica{
		Spec: spec, pid: cmp.Or(m.PID, os.Getpid()), tell: m.Report,
		freeze: make(chan os.Signal, 1), hang: make(chan os.Signal, 1),
		ledger: &ledgerClient{spec.Ledger, &http.Client{Transport: &http.Transport{}}},
	}
	if r.tell == nil {
		r.tell = toStdout
	}
	if spec.Peer {
		return r.runPeer(ctx, m.Client)
	}
	signal.Notify(r.freeze, syscall.SIGUSR1)
	signal.Notify(r.hang, syscall.SIGUSR2)
	config := singleton.Config{
		Name: spec.Lease, Namespace: spec.Namespace,
		Replica: singleton.ReplicaConfig{Identity: spec.Name, ProgressWithin: spec.Progress},
		Timing:  lease.Timing{LeaseDuration: spec.Timing.LeaseDuration, RenewDeadline: spec.Timing.RenewDeadline, RetryPeriod: spec.Timing.RetryPeriod},
		Guards:  []fencing.Guard{r.ledger},
		Fencing: singleton.FencingConfig{MaxRaise: spec.MaxRaise}, Evidence: m.Evidence,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if spec.Floor {
		config.Fencing.Floor = func(ctx context.Context) (int64, error) {
			mark, err := r.ledger.Mark(ctx, fencing.Scope(spec.Namespace, spec.Lease))
			return mark.Epoch, err
		}
	}
	client := m.Client
	if client == nil {
		var err error
		if client, err = singleton.NewClient(spec.api()); err != nil {
			return err
		}
	}
	if spec.Lock {
		return r.runLock(ctx, client, config)
	}
	elector, err := singleton.New(client, config)
	if err != nil {
		return err
	}
	if m.Candidate != nil {
		m.Candidate(elector)
	}
	return elector.Run(ctx, r.work)
}

func (s Spec) api() *rest.Config {
	return &rest.Config{
		Host: "https://" + s.Server, BearerToken: s.Token, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: s.CA, Insecure: s.Insecure, ServerName: s.ServerName},
	}
}

// replica is a candidate: what a service's process would be.
type replica struct {
	Spec
	ledger *ledgerClient
	pid    int
	wrote  int // records decided so far; terms of one process follow each other
	freeze chan os.Signal
	hang   chan os.Signal
	tell   func(Event)
}

// work writes to the ledger: check, then write, as services do.
//
// Nothing between check and write looks at ctx again. That stands for a write
// that can no longer be called back: handed to the kernel, to a proxy, to a
// queue. Only the guard can refuse it.
func (r *replica) work(ctx context.Context, term *singleton.Term) error {
	r.report(Event{Kind: Acquired, Token: term.Token()})
	for r.goesOn(ctx, term) {
		r.record(term)
		term.Progress()
		select {
		case <-r.hang:
			r.report(Event{Kind: Hung, Token: term.Token(), N: r.wrote})
			<-ctx.Done()
		default:
		}
	}
	if errors.Is(context.Cause(ctx), singleton.ErrShuttingDown) {
		for end := time.Now().Add(r.Drain); time.Now().Before(end) && term.Valid(); {
			r.record(term)
		}
	}
	for end := time.Now().Add(r.Overstay); time.Now().Before(end); {
		r.record(term)
	}
	r.report(Event{Kind: Ended, Token: term.Token(), Text: fmt.Sprint(context.Cause(ctx))})
	return nil
}

func (*replica) goesOn(ctx context.Context, term *singleton.Term) bool {
	return ctx.Err() == nil && term.Valid()
}

func (r *replica) record(term *singleton.Term) {
	token := term.Token()
	r.wrote++
	time.Sleep(r.Write)
	select {
	case <-r.freeze:
		r.report(Event{Kind: Frozen, Token: token, N: r.wrote})
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) // may always be sent to oneself
		// The kernel may stop another thread first: give it time to stop this one.
		for froze := Now(); Now()-froze < int64(time.Second); {
			time.Sleep(10 * time.Millisecond)
		}
	default:
	}
	// Half of the stop budget leaves time to return within it.
	ctx, cancel := context.WithTimeout(context.Background(), r.Timing.StopBudget()/2)
	defer cancel()
	outcome := Event{Kind: Written, Token: token, N: r.wrote}
	if err := r.ledger.write(ctx, token, Record{Replica: r.Name, PID: r.pid, N: r.wrote}); err != nil {
		outcome.Kind, outcome.Text = Refused, err.Error()
		if errors.Is(err, fencing.ErrUnavailable) {
			outcome.Kind = Unanswered
		}
	}
	r.report(outcome)
}

// report tells the trial.
func (r *replica) report(e Event) {
	e.At, e.Replica, e.PID = Now(), r.Name, r.pid
	r.tell(e)
}

// toStdout tells it a line. One Write per line: goroutines do not mix.
func toStdout(e Event) {
	line, err := json.Marshal(e)
	if err != nil {
		fmt.Fprintln(os.Stderr, "trial: report:", err)
		return
	}
	_, _ = os.Stdout.Write(append(line, '\n')) // without a reader the lifeline ends us
}
