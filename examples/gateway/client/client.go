// Package client asks a gateway for picks at a steady rate, and counts what comes of it.
package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/internal/reach"
)

const (
	// Every is the time between two requests, whether or not the first was answered.
	Every = 20 * time.Millisecond
	// DefaultPatience is how long a request is tried again until it is given up.
	DefaultPatience = 30 * time.Second
	// timeout is how long one try may take.
	timeout = 2 * time.Second
	// pause is the time between two tries if no answer says how long it should be.
	pause = time.Second
)

// Pick is a gateway's answer.
type Pick struct {
	Server    string `json:"server"`  // which model server should answer the prompt
	Replica   string `json:"replica"` // that picked it
	Epoch     int64  `json:"epoch"`   // of the replica's term
	AgeMillis int64  `json:"age_ms"`  // of the replica's cache
}

// Row counts what came of the requests that were sent in one phase.
type Row struct {
	Phase    string
	Sent     int // requests
	Answered int // of them, at whichever try
	Retried  int // of them: it took more than one try, or would have
	Refused  int // tries: 503, or no replica said that it is active
	Errors   int // tries: broken connections, timeouts, and other answers
	// Longest is the longest time from one answer to the next. It counts for the phase in which it
	// ends.
	Longest time.Duration
}

// Config of a [Client].
type Config struct {
	// Name tells this client from others in an audit.
	Name string
	// Addrs are one host:port of a Service or a load balancer, or those of all replicas. Of several
	// replicas, the client asks the one whose role endpoint says that it is active.
	Addrs []string
	// Patience is how long a request is tried again until it is given up. Default: [DefaultPatience].
	Patience time.Duration
	// Dial connects; nil: from this process's own network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client asks until it is stopped. Its methods are safe for concurrent use.
type Client struct {
	config   Config
	http     *http.Client
	balancer *balancer
	cancel   context.CancelFunc
	requests sync.WaitGroup

	mu      sync.Mutex
	rows    []*Row
	answers []reach.Answer
	first   Pick // of the latest term
}

// Start starts asking, over a new connection for each try. The first phase has no name. Stop it.
func Start(config Config) *Client {
	config.Patience = cmp.Or(config.Patience, DefaultPatience)
	ctx, cancel := context.WithCancel(context.Background())
	asks := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: config.Dial}, Timeout: timeout,
	}
	c := &Client{
		config: config, http: asks, balancer: newBalancer(config.Addrs, asks), cancel: cancel,
		rows: []*Row{{}},
	}
	c.balancer.start()
	c.requests.Go(func() { c.run(ctx) })
	return c
}

// Stop stops asking, and waits for the requests that were sent, for Config.Patience at most.
func (c *Client) Stop() {
	c.cancel()
	c.requests.Wait()
	c.balancer.stop()
}

// Begin begins another phase.
func (c *Client) Begin(phase string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows = append(c.rows, &Row{Phase: phase})
}

// Rows are those of all phases that were begun.
func (c *Client) Rows() (rows []Row) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.rows[1:] {
		rows = append(rows, *r)
	}
	return rows
}

// Answers are all picks so far, in the order in which they came, for [reach.Audit].
func (c *Client) Answers() []reach.Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]reach.Answer(nil), c.answers...)
}

// Audit is an error if two replicas picked at once. Stop the client first.
func (c *Client) Audit() error { return reach.Audit(c.Answers()) }

// Next waits for the first pick of a later term than that of the epoch.
func (c *Client) Next(ctx context.Context, epoch int64) (Pick, error) {
	for {
		c.mu.Lock()
		first := c.first
		c.mu.Unlock()
		if first.Epoch > epoch {
			return first, nil
		}
		select {
		case <-time.After(Every):
		case <-ctx.Done():
			return Pick{}, fmt.Errorf("no pick of a term after epoch %d: %w", epoch, context.Cause(ctx))
		}
	}
}

func (c *Client) run(ctx context.Context) {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		row := c.send()
		c.requests.Go(func() { c.request(row, prompt(n)) })
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// prompt is one of a few that users of the gateway send.
func prompt(n int) string {
	roles := []string{"You are a lawyer.", "You are a poet.", "You translate to French.", ""}
	return fmt.Sprintf("%s Question %d", roles[n%len(roles)], n)
}

func (c *Client) send() *Row {
	c.mu.Lock()
	defer c.mu.Unlock()
	row := c.rows[len(c.rows)-1]
	row.Sent++
	return row
}

// request tries until it is answered.
func (c *Client) request(row *Row, prompt string) {
	for began, tries := time.Now(), 1; time.Since(began) < c.config.Patience; tries++ {
		wait, err := c.try(row, prompt)
		if err == nil {
			return
		}
		c.count(row, err, tries == 1)
		time.Sleep(wait)
	}
}

// errRefused: the request may be sent again, because nobody handled it.
var errRefused = errors.New("503 Service Unavailable")

func (c *Client) count(row *Row, err error, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if first {
		row.Retried++
	}
	if errors.Is(err, errRefused) {
		row.Refused++
		return
	}
	row.Errors++
}

// try asks once. If that fails, it says after what time to try again.
func (c *Client) try(row *Row, prompt string) (wait time.Duration, err error) {
	addr := c.balancer.active()
	if addr == "" {
		return pause, errRefused
	}
	sent := time.Now()
	response, err := c.http.Get("http://" + addr + "/pick?prompt=" + url.QueryEscape(prompt))
	if err != nil {
		return pause, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusServiceUnavailable:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return cmp.Or(time.Duration(seconds)*time.Second, pause), errRefused
	default:
		return pause, errors.New(response.Status)
	}
	var p Pick
	if err := json.NewDecoder(response.Body).Decode(&p); err != nil {
		return pause, err
	}
	c.answered(row, sent, p)
	return 0, nil
}

func (c *Client) answered(row *Row, sent time.Time, p Pick) {
	c.mu.Lock()
	defer c.mu.Unlock()
	got := time.Now() // under the lock: answers are in this order
	row.Answered++
	if n := len(c.answers); n > 0 {
		now := c.rows[len(c.rows)-1]
		now.Longest = max(now.Longest, got.Sub(c.answers[n-1].Got))
	}
	c.answers = append(c.answers, reach.Answer{
		Target: c.config.Name, Sent: sent, Got: got, Name: p.Replica, Epoch: p.Epoch,
	})
	if p.Epoch > c.first.Epoch {
		c.first = p
	}
}

// Table shows rows in Markdown.
func Table(rows []Row) string {
	var b strings.Builder
	const format = "| %-24s | %6v | %8v | %7v | %7v | %6v | %10v |\n"
	fmt.Fprintf(&b, format, "requests", "sent", "answered", "retried", "refused", "errors", "longest ms")
	b.WriteString("|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, format,
			r.Phase, r.Sent, r.Answered, r.Retried, r.Refused, r.Errors, r.Longest.Milliseconds())
	}
	return b.String()
}
