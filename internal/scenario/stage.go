// Package scenario plays one fault script to any elector: hotseat's in the
// tests of package singleton, client-go's in internal/bench. Both are told
// apart only by the StartFunc, so that what they do can be compared.
//
// Scripts run inside a testing/synctest bubble and take no real time.
package scenario

import (
	"context"
	"sync"
	"testing/synctest"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

// Where every script's Lease is.
const (
	Namespace = "shop"
	Lease     = "invoicer"
)

// Options of a Stage.
type Options struct {
	// ClientTimeout is rest.Config.Timeout of every candidate; 0 is none.
	ClientTimeout time.Duration
	// Release has client-go's elector release on cancel; hotseat always does.
	Release bool
	// NoLease starts without the Lease; else it is there, never held.
	NoLease bool
}

// StartFunc runs one candidate until ctx ends and everything of it has
// returned. It calls c.Work while c leads.
type StartFunc func(ctx context.Context, s *Stage, c *Candidate)

// Stage is a cluster and the candidates on it.
type Stage struct {
	*apiserver.Cluster
	Options
	start StartFunc
	began time.Time
	wg    sync.WaitGroup

	mu         sync.Mutex
	closed     bool
	candidates []*Candidate
	terms      []*Term
}

// New sets a stage; call it inside the bubble, and Close at its end.
func New(o Options, start StartFunc) *Stage {
	s := &Stage{Cluster: apiserver.New(apiserver.Options{}), Options: o, start: start, began: time.Now()}
	if !o.NoLease {
		lease := &coordv1.Lease{}
		lease.Namespace, lease.Name = Namespace, Lease
		if _, err := s.CreateLease(lease); err != nil {
			panic(err) // a valid literal
		}
	}
	return s
}

// Close stops every candidate, heals what is broken, and waits. A second call
// does nothing.
func (s *Stage) Close() {
	s.mu.Lock()
	s.closed = true
	all := s.candidates
	s.mu.Unlock()
	for _, c := range all {
		s.Link(c.Name).Heal()
		c.Stop()
	}
	s.wg.Wait()
	s.Cluster.Close()
}

// Candidate is one replica.
type Candidate struct {
	Name string
	// Identity it is to use; Name if empty. Set before Start.
	Identity string
	// Retry is the RetryPeriod it is to use if not 0: a client-go standby that
	// polls often meets the worst phase without luck.
	Retry time.Duration
	// Drain is how long its work takes to return after its context ended.
	Drain time.Duration
	// Err is returned by its work at once, if set.
	Err    error
	stage  *Stage
	cancel context.CancelFunc
	done   chan struct{}
}

// Start starts a candidate.
func (s *Stage) Start(c *Candidate) *Candidate {
	if c.Identity == "" {
		c.Identity = c.Name
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.stage, c.cancel, c.done = s, cancel, make(chan struct{})
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		panic("scenario: Start after Close")
	}
	s.candidates = append(s.candidates, c)
	s.mu.Unlock()
	s.wg.Go(func() {
		defer close(c.done)
		s.start(ctx, s, c)
	})
	return c
}

// StartNamed starts a plain candidate.
func (s *Stage) StartNamed(name string) *Candidate { return s.Start(&Candidate{Name: name}) }

// Stop asks for a graceful stop; it does not wait.
func (c *Candidate) Stop() { c.cancel() }

// Done is closed when the candidate has returned.
func (c *Candidate) Done() <-chan struct{} { return c.done }

// Config is what a candidate is to reach the cluster with.
func (s *Stage) Config(c *Candidate) *rest.Config {
	config := s.RESTConfig(c.Name)
	config.Timeout = s.ClientTimeout
	return config
}

// Term is a stretch of work of one candidate.
type Term struct {
	Name    string
	Token   int64     // fencing epoch; for client-go leaseTransitions
	Started time.Time // work was called
	Ended   time.Time // its context ended; zero: not yet
	Return  time.Time // work returned; zero: not yet
}

// Work is a candidate's work: it records its term and waits for ctx.
func (c *Candidate) Work(ctx context.Context, token int64) error {
	term := &Term{Name: c.Name, Token: token, Started: time.Now()}
	c.stage.mu.Lock()
	c.stage.terms = append(c.stage.terms, term)
	c.stage.mu.Unlock()
	set := func(at *time.Time) {
		c.stage.mu.Lock()
		defer c.stage.mu.Unlock()
		*at = time.Now()
	}
	defer set(&term.Return)
	if c.Err != nil {
		set(&term.Ended)
		return c.Err
	}
	<-ctx.Done()
	set(&term.Ended)
	if c.Drain > 0 {
		time.Sleep(c.Drain)
	}
	return ctx.Err()
}

// Terms returns copies of all terms so far, in the order they began.
func (s *Stage) Terms() []Term {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Term
	for _, term := range s.terms {
		out = append(out, *term)
	}
	return out
}

// TermsOf returns those of one candidate.
func (s *Stage) TermsOf(name string) []Term {
	var out []Term
	for _, term := range s.Terms() {
		if term.Name == name {
			out = append(out, term)
		}
	}
	return out
}

// WaitTerms waits until a candidate began its n-th term, and reports whether it
// did before the timeout. It looks every millisecond.
func (s *Stage) WaitTerms(name string, n int, timeout time.Duration) bool {
	return s.Until(timeout, func() bool { return len(s.TermsOf(name)) >= n })
}

// Until waits for a condition, looking every millisecond of the bubble and,
// after the first hundred, every ten.
func (s *Stage) Until(timeout time.Duration, condition func() bool) bool {
	began := time.Now()
	for end := began.Add(timeout); ; {
		synctest.Wait()
		if condition() {
			return true
		}
		if !time.Now().Before(end) {
			return false
		}
		if time.Since(began) < 100*time.Millisecond {
			time.Sleep(time.Millisecond)
		} else {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// At is the time since the stage was set.
func (s *Stage) At(t time.Time) time.Duration { return t.Sub(s.began) }

// Overlap is the longest time for which two candidates' work contexts were
// alive together; 0 if never. With returns, until work had returned instead.
func (s *Stage) Overlap(returns bool) time.Duration {
	end := func(t Term) time.Time {
		at := t.Ended
		if returns {
			at = t.Return
		}
		if at.IsZero() {
			return time.Now()
		}
		return at
	}
	terms, worst := s.Terms(), time.Duration(0)
	for i, a := range terms {
		for _, b := range terms[i+1:] {
			if a.Name == b.Name {
				continue
			}
			first, last := end(a), b.Started
			if end(b).Before(first) {
				first = end(b)
			}
			if a.Started.After(last) {
				last = a.Started
			}
			worst = max(worst, first.Sub(last))
		}
	}
	return worst
}

// TokensGrow reports whether each term's token is greater than every earlier
// term's.
func (s *Stage) TokensGrow() bool {
	highest := int64(-1)
	for _, term := range s.Terms() {
		if term.Token <= highest {
			return false
		}
		highest = term.Token
	}
	return true
}
