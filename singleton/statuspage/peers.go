package statuspage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	askTimeout = time.Second // for one replica's answer
	mostAnswer = 1 << 20     // bytes of it
)

// peers asks replicas over HTTP. It belongs to one request.
type peers struct {
	urls  func() []string
	known *memory
	http  *http.Client

	asking  map[string]bool
	answers chan Seen
	ctx     context.Context
	cancel  context.CancelFunc
	askers  sync.WaitGroup
}

// memory is what replicas answered last. All requests of one handler share it.
type memory struct {
	mu   sync.Mutex
	seen map[string]Seen
}

func newPeers(urls func() []string, known *memory) *peers {
	p := &peers{
		urls: urls, known: known, asking: map[string]bool{}, answers: make(chan Seen),
		http: &http.Client{
			Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: askTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// close waits for the askers.
func (p *peers) close() {
	p.cancel()
	p.askers.Wait()
	p.http.CloseIdleConnections()
}

func (p *peers) look(ctx context.Context) []Seen {
	p.ask()
	for len(p.asking) > 0 {
		select {
		case s := <-p.answers:
			p.answered(s)
		case <-ctx.Done():
			return p.all()
		}
	}
	return p.all()
}

func (p *peers) glance() []Seen {
	for {
		select {
		case s := <-p.answers:
			p.answered(s)
			continue
		default:
		}
		p.ask()
		return p.all()
	}
}

// ask asks every replica of which no answer is awaited.
func (p *peers) ask() {
	for _, url := range p.urls() {
		if p.asking[url] {
			continue
		}
		p.asking[url] = true
		p.askers.Go(func() {
			s := Seen{URL: url}
			status, err := p.get(url)
			if err != nil {
				s.Error = err.Error()
			} else {
				s.Status = status
			}
			select {
			case p.answers <- s:
			case <-p.ctx.Done():
			}
		})
	}
}

func (p *peers) get(url string) (s Status, err error) {
	request, err := http.NewRequestWithContext(p.ctx, http.MethodGet, url, nil)
	if err != nil {
		return s, errors.New("the URL is not valid")
	}
	request.Header.Set("Accept", typeJSON)
	response, err := p.http.Do(request)
	switch {
	case err != nil && isTimeout(err):
		return s, fmt.Errorf("no answer within %v s", askTimeout.Seconds())
	case err != nil: // the whole text names the URL, and with it what may be a secret in it
		return s, errors.New("it cannot be reached")
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return s, fmt.Errorf("the answer is %s", response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, mostAnswer)).Decode(&s); err != nil {
		if isTimeout(err) {
			return Status{}, fmt.Errorf("no answer within %v s", askTimeout.Seconds())
		}
		return Status{}, errors.New("the answer is not a status page's JSON")
	}
	return s, nil
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && timeout.Timeout()
}

func (p *peers) answered(s Seen) {
	delete(p.asking, s.URL)
	p.known.mu.Lock()
	defer p.known.mu.Unlock()
	if s.Error != "" {
		s.Status = p.known.seen[s.URL].Status
	}
	p.known.seen[s.URL] = s
}

// all is what is known of each replica. What is no longer asked is forgotten.
func (p *peers) all() []Seen {
	urls := p.urls()
	p.known.mu.Lock()
	defer p.known.mu.Unlock()
	for url := range p.known.seen {
		if !slices.Contains(urls, url) {
			delete(p.known.seen, url)
		}
	}
	all := make([]Seen, 0, len(urls))
	for _, url := range urls {
		s, ok := p.known.seen[url]
		if !ok {
			s = Seen{URL: url, Error: "it was not asked yet"}
		}
		all = append(all, s)
	}
	return all
}

func (p *peers) document(seen []Seen) any {
	return Overview{At: time.Now().Round(0), Replicas: seen, History: merged(seen)}
}

func merged(seen []Seen) []Term {
	histories := make([][]Term, len(seen))
	for i, s := range seen {
		histories[i] = s.Status.History
	}
	return append([]Term{}, Merge(histories...)...)
}
