// Package reach asks all the time who is active, over a new connection each time, and judges the
// answers: never two, and for how long nobody.
//
// A replica answers 200 and a line with its name and the epoch of its term. Any other answer means
// that nobody was reached.
package reach

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// Every is the time between two requests to one target, whether or not the first was answered.
	Every = 20 * time.Millisecond
	// Timeout is how long an answer may take. It is long, so that what a frozen replica still
	// answers when it thaws is judged too.
	Timeout = 20 * time.Second
)

// Target is whom to ask, and from where.
type Target struct {
	Name string // in answers
	Addr string // host:port
	// Dial connects; nil: from this process's own network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Answer is what one request came to.
type Answer struct {
	Target    string
	Sent, Got time.Time
	Name      string // of the replica that answered 200; empty: nobody did
	Epoch     int64
	Other     string // what happened instead
}

func (a Answer) ok() bool { return a.Name != "" }

// Prober asks its targets until it is stopped. It is safe for concurrent use.
type Prober struct {
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu      sync.Mutex
	answers []Answer // as they came
	last    map[string]Answer
	latest  map[string]Answer // the first of the target's latest epoch
}

// Start starts asking. Stop it.
func Start(targets ...Target) *Prober {
	ctx, cancel := context.WithCancel(context.Background())
	p := &Prober{cancel: cancel, last: map[string]Answer{}, latest: map[string]Answer{}}
	for _, t := range targets {
		client := &http.Client{
			Transport: &http.Transport{DisableKeepAlives: true, DialContext: t.Dial},
			Timeout:   Timeout,
		}
		p.all.Go(func() { p.probe(ctx, client, t) })
	}
	return p
}

// Stop stops asking, and waits for the answers. It may be called twice.
func (p *Prober) Stop() {
	p.cancel()
	p.all.Wait()
}

func (p *Prober) probe(ctx context.Context, client *http.Client, t Target) {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for ctx.Err() == nil {
		p.all.Go(func() { p.ask(client, t) })
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (p *Prober) ask(client *http.Client, t Target) {
	a := Answer{Target: t.Name, Sent: time.Now()}
	a.Name, a.Epoch, a.Other = who(client, t.Addr)
	p.mu.Lock()
	defer p.mu.Unlock()
	a.Got = time.Now() // under the lock: answers are in this order
	p.answers = append(p.answers, a)
	if !a.ok() {
		return
	}
	p.last[t.Name] = a
	if a.Epoch > p.latest[t.Name].Epoch {
		p.latest[t.Name] = a
	}
}

func who(client *http.Client, addr string) (name string, epoch int64, other string) {
	answer, err := client.Get("http://" + addr + "/who")
	if err != nil {
		return "", 0, err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode == http.StatusOK {
		_, err = fmt.Sscan(string(text), &name, &epoch)
	}
	if err != nil {
		return "", 0, err.Error()
	}
	return name, epoch, answer.Status
}

// Answers are those so far, in the order in which they came.
func (p *Prober) Answers() []Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.answers)
}

// Last is the last that a replica gave by this target; zero if none did.
func (p *Prober) Last(target string) Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last[target]
}

// First is the first by this target of the latest term that it saw; zero if that is not after epoch.
func (p *Prober) First(target string, epoch int64) Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.latest[target]; a.Epoch > epoch {
		return a
	}
	return Answer{}
}

// Change is from the last answer of one replica's term to the first of another's, by one target.
type Change struct{ Old, New Answer }

// Nobody is for how long no replica was reached.
func (c Change) Nobody() time.Duration { return c.New.Got.Sub(c.Old.Got) }

// Changes are those of each target, in the order of their ends.
func Changes(answers []Answer) (all []Change) {
	last := map[string]Answer{}
	for _, a := range byTime(answers, func(a Answer) time.Time { return a.Got }) {
		if !a.ok() {
			continue
		}
		old := last[a.Target]
		if old.ok() && (old.Name != a.Name || old.Epoch != a.Epoch) {
			all = append(all, Change{old, a})
		}
		last[a.Target] = a
	}
	return all
}

// Pause is the longest time without an answer of a replica by one target, within one term.
func Pause(answers []Answer, target string) (longest time.Duration) {
	var last Answer
	for _, a := range byTime(answers, func(a Answer) time.Time { return a.Got }) {
		if a.Target != target || !a.ok() {
			continue
		}
		if last.Epoch == a.Epoch {
			longest = max(longest, a.Got.Sub(last.Got))
		}
		last = a
	}
	return longest
}

func byTime(answers []Answer, at func(Answer) time.Time) []Answer {
	return slices.SortedStableFunc(slices.Values(answers), func(a, b Answer) int {
		return cmp.Compare(at(a).Sub(at(b)), 0)
	})
}
