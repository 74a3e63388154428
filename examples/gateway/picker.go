package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// lookEvery is the time between two looks at the model servers.
	lookEvery = 100 * time.Millisecond
	// lookTimeout is how long a look may take.
	lookTimeout = time.Second
	// prefixWorth is how many bytes of a cached prefix save as much time as one waiting request costs.
	prefixWorth = 16
)

// model is a model server, as its metrics show it.
type model struct {
	Name     string   `json:"name"`
	Queue    int      `json:"queue"`    // requests that wait there
	Prefixes []string `json:"prefixes"` // of prompts, in its cache
}

// picker chooses a model server for each prompt, from a cache of their metrics. Every replica keeps
// its cache warm, but only the active one picks: two that pick at once would not know of each
// other's picks, and send their requests to the same idle server.
type picker struct {
	look func(context.Context) ([]model, error)

	mu     sync.Mutex
	models []model
	seen   time.Time      // when models was looked at
	picked map[string]int // since then; the next look finds these requests in the queues
}

// fill looks once, and keeps what it saw.
func (p *picker) fill(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	models, err := p.look(ctx)
	if err == nil && len(models) == 0 {
		err = errors.New("there are no model servers")
	}
	if err != nil {
		return fmt.Errorf("look at the model servers: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.models, p.seen, p.picked = models, time.Now(), map[string]int{}
	return nil
}

// warmUp fills the cache. It tries until it can, or ctx ends.
func (p *picker) warmUp(ctx context.Context) error {
	for {
		err := p.fill(ctx)
		if err == nil {
			return nil
		}
		slog.Warn("the cache is still cold", "error", err)
		if !sleep(ctx, time.Second) {
			return context.Cause(ctx)
		}
	}
}

// follow keeps the cache warm until ctx ends. While a look fails, the last one counts.
func (p *picker) follow(ctx context.Context) {
	for failing := false; sleep(ctx, lookEvery); {
		err := p.fill(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			slog.Warn("the cache grows old", "error", err)
		}
		failing = err != nil
	}
}

// pick returns the model server for a prompt, and how old the cache is.
func (p *picker) pick(prompt string) (server string, age time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	least := 0
	for _, m := range p.models {
		cost := m.Queue + p.picked[m.Name] - cached(m, prompt)/prefixWorth
		if server == "" || cost < least {
			server, least = m.Name, cost
		}
	}
	if server == "" {
		return "", 0, errors.New("the cache is cold")
	}
	p.picked[server]++
	return server, time.Since(p.seen), nil
}

// cached is how much of the prompt is in the model server's cache, in bytes.
func cached(m model, prompt string) (most int) {
	for _, prefix := range m.Prefixes {
		if strings.HasPrefix(prompt, prefix) {
			most = max(most, len(prefix))
		}
	}
	return most
}

// lookAt returns a look at the metrics behind a URL.
func lookAt(url string) func(context.Context) ([]model, error) {
	return func(ctx context.Context) (models []model, err error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return nil, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return nil, errors.New(response.Status)
		}
		return models, json.NewDecoder(response.Body).Decode(&models)
	}
}

// sleep reports whether d passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
