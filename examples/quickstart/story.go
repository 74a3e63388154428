package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// cleanupTimeout bounds what is left to do on the API server after the story.
const cleanupTimeout = 10 * time.Second

// story owns everything it starts: the ledger, the Lease, the replicas.
type story struct {
	options
	pace
	journal    *journal
	leases     coordclient.LeaseInterface
	template   replicaConfig // of each replica, but for its name
	ledgerPath string
	replicas   map[string]*process // by name; none once they are stopped
	cleanups   []func() error      // run backwards, after the replicas
	opened     <-chan struct{}     // is closed when somebody looks at the page; nil: there is none
}

// errInterrupted: ctx ended or nobody reads the output any more. There is no
// audit then.
var errInterrupted = errors.New("interrupted, every replica is stopped")

// runStory plays the story and audits it. nil means that the audit holds.
func runStory(ctx context.Context, o options) (err error) {
	s := &story{options: o, pace: o.pace(), journal: newJournal(), replicas: map[string]*process{}}
	dir, keepDir, err := workDir(o.dir)
	if err != nil {
		return err
	}
	defer func() {
		if !keepDir {
			_ = os.RemoveAll(dir)
		}
	}()
	defer func() { err = errors.Join(err, s.cleanUp()) }()
	if err := s.serve(ctx, dir); err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	show := startDisplay(s.journal, o, s.timing, cancel)
	err = s.play(ctx)
	s.stopReplicas()
	events, _ := s.journal.since(0)
	result := s.audit(events)
	show.stop()
	if werr := writeEvents(filepath.Join(dir, "events.jsonl"), events); werr != nil {
		err = errors.Join(err, werr)
	}
	if ctx.Err() != nil {
		return errInterrupted
	}
	if err != nil {
		result.violate("the story could not be played: %v", err)
	}
	show.audit(result)
	if !result.OK {
		keepDir = true // the evidence
		return fmt.Errorf("the audit does not hold; ledger and events are in %s", dir)
	}
	return nil
}

// serve brings up what the replicas need: API server, Lease and ledger.
func (s *story) serve(ctx context.Context, dir string) error {
	namespace, err := s.reachCluster()
	if err != nil {
		return err
	}
	// Shipped beforehand and held by nobody, the Lease is taken at once; a
	// missing one is created only after a full lease has passed. The name is of
	// this run alone, so that two on one cluster do not meet.
	name := "hotseat-quickstart-" + randomSuffix()
	if err := s.createLease(ctx, name); err != nil {
		return err
	}
	ledgerURL, err := s.serveLedger(dir, fencing.Scope(namespace, name))
	if err != nil {
		return err
	}
	s.template.Namespace, s.template.Lease, s.template.Ledger = namespace, name, ledgerURL
	s.template.Timing, s.template.Write, s.template.Verbose = s.timing, s.write, s.verbose
	return s.servePage()
}

// reachCluster makes the client of the embedded API server or of the user's.
func (s *story) reachCluster() (namespace string, err error) {
	api := access{Kubeconfig: s.kubeconfig, User: "story"}
	namespace = cmp.Or(s.namespace, "quickstart")
	if s.kubeconfig == "" {
		cluster := singletontest.New(singletontest.Options{WithoutLease: true})
		s.cleanups = append(s.cleanups, func() error { cluster.Close(); return nil })
		if api.Server, err = cluster.Listen(); err != nil {
			return "", err
		}
	} else if s.namespace == "" {
		if namespace, err = contextNamespace(s.kubeconfig); err != nil {
			return "", err
		}
	}
	config, err := api.config()
	if err != nil {
		return "", err
	}
	client, err := coordclient.NewForConfig(config)
	if err != nil {
		return "", err
	}
	s.template.API = api
	s.leases = client.Leases(namespace)
	return namespace, nil
}

// serveLedger serves a new ledger for tokens of that scope.
func (s *story) serveLedger(dir, scope string) (url string, err error) {
	s.ledgerPath = filepath.Join(dir, "ledger.jsonl")
	file, err := os.OpenFile(s.ledgerPath, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return "", err
	}
	s.cleanups = append(s.cleanups, file.Close)
	ledger, err := newLedger(scope, file)
	if err != nil {
		return "", err
	}
	url, stop, err := serveHTTP("127.0.0.1:0", ledger)
	if err != nil {
		return "", err
	}
	s.cleanups = append(s.cleanups, stop)
	return strings.TrimSuffix(url, "/"), nil
}

func (s *story) cleanUp() error {
	var errs []error
	for _, undo := range slices.Backward(s.cleanups) {
		errs = append(errs, undo())
	}
	return errors.Join(errs...)
}

func (s *story) createLease(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, cleanupTimeout)
	defer cancel()
	_, err := s.leases.Create(ctx, &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err == nil || ctx.Err() != nil { // unanswered, it may be there all the same
		s.cleanups = append(s.cleanups, func() error { return s.removeLease(name) })
	}
	if err != nil {
		return fmt.Errorf("creating the Lease: %w", err)
	}
	return nil
}

// removeLease leaves the cluster as it was; the context of the story may be over.
func (s *story) removeLease(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	if err := s.leases.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting the Lease %s: %w", name, err)
	}
	return nil
}

// spawn starts a replica under a name that none that runs has.
func (s *story) spawn(name string) error {
	config := s.template
	config.Name = name
	config.API.User = name
	p, err := startProcess(config, s.journal)
	if err != nil {
		return fmt.Errorf("starting replica %s: %w", name, err)
	}
	s.replicas[name] = p
	return nil
}

// stopReplicas ends what still runs and waits for it.
func (s *story) stopReplicas() {
	s.journal.add(event{Kind: kindStop})
	var stopping sync.WaitGroup
	for _, p := range s.replicas {
		stopping.Go(func() { p.Stop(stopGrace) })
	}
	stopping.Wait()
}

// audit judges the ledger as it is on disk.
func (s *story) audit(events []event) report {
	entries, err := readLedgerFile(s.ledgerPath)
	result := audit(entries, events, limits{
		Lease: s.timing.LeaseDuration, StopBudget: s.timing.StopBudget(), Noise: noise,
		Faults: []fault{faultHandover, faultCrash, faultFreeze, faultDeletion},
	})
	if err != nil {
		result.violate("%v", err)
	}
	return result
}

// workDir is where the ledger goes: the user's folder, which is kept, or one
// that is not.
func workDir(dir string) (path string, keep bool, err error) {
	if dir != "" {
		return dir, true, os.MkdirAll(dir, 0o755)
	}
	dir, err = os.MkdirTemp("", "hotseat-quickstart-")
	return dir, false, err
}

func randomSuffix() string {
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return hex.EncodeToString(id[:])
}
