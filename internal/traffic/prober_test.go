//go:build unix

package traffic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// sample is what one request came to.
type sample struct {
	to        string
	sent, got time.Time
	name      string // of the replica that answered 200; empty: nobody did
	epoch     int64
	other     string // what happened instead
}

// prober asks all the time who is active, over a new connection each time.
type prober struct {
	client *http.Client
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu      sync.Mutex
	samples []sample
}

// every is the pause between two requests to one address.
const every = 20 * time.Millisecond

func probe(addrs ...string) *prober {
	ctx, cancel := context.WithCancel(context.Background())
	p := &prober{cancel: cancel, client: &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second,
	}}
	for _, addr := range addrs {
		p.all.Go(func() {
			for ctx.Err() == nil {
				p.all.Go(func() { p.ask(addr) })
				select {
				case <-time.After(every):
				case <-ctx.Done():
				}
			}
		})
	}
	return p
}

// stop stops asking, and waits for the answers.
func (p *prober) stop() { p.cancel(); p.all.Wait() }

func (p *prober) ask(addr string) {
	s := sample{to: addr, sent: time.Now()}
	s.name, s.epoch, s.other = p.who(addr)
	s.got = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.samples = append(p.samples, s)
}

func (p *prober) who(addr string) (name string, epoch int64, other string) {
	answer, err := p.client.Get("http://" + addr + "/who")
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

// so far, in the order of the answers.
func (p *prober) sofar() []sample {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := slices.Clone(p.samples)
	slices.SortFunc(all, func(a, b sample) int { return a.got.Compare(b.got) })
	return all
}

// last is the last 200 from addr; zero if there was none.
func (p *prober) last(addr string) (last sample) {
	for _, s := range p.sofar() {
		if s.to == addr && s.name != "" {
			last = s
		}
	}
	return last
}

// first is the first 200 from addr, or from anywhere, of a term after epoch; zero if there was none.
func (p *prober) first(addr string, epoch int64) sample {
	for _, s := range p.sofar() {
		if (addr == "" || s.to == addr) && s.epoch > epoch {
			return s
		}
	}
	return sample{}
}

// audit says whether two replicas answered at once. A term has one replica, and whoever asks after
// one term has answered gets no answer of an earlier one.
func audit(samples []sample) error {
	var wrong []error
	names := map[int64]string{}
	for _, s := range samples {
		if s.name == "" {
			continue
		}
		if other := names[s.epoch]; other != "" && other != s.name {
			wrong = append(wrong, fmt.Errorf("epoch %d: %s and %s answer", s.epoch, other, s.name))
		}
		names[s.epoch] = s.name
	}
	byAnswer := slices.SortedFunc(slices.Values(samples), func(a, b sample) int { return a.got.Compare(b.got) })
	bySending := slices.SortedFunc(slices.Values(samples), func(a, b sample) int { return a.sent.Compare(b.sent) })
	latest, i := sample{}, 0
	for _, s := range bySending {
		for ; byAnswer[i].got.Before(s.sent); i++ {
			if byAnswer[i].epoch > latest.epoch {
				latest = byAnswer[i]
			}
		}
		if s.name != "" && s.epoch < latest.epoch {
			wrong = append(wrong, fmt.Errorf("%s answers for epoch %d, %v after %s did for %d",
				s.name, s.epoch, s.sent.Sub(latest.got), latest.name, latest.epoch))
		}
	}
	return errors.Join(wrong...)
}
