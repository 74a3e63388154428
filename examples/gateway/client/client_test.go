package client

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// replica plays one: what it answers to /pick is for the test to set.
type replica struct {
	addr  string
	mode  atomic.Value
	epoch atomic.Int64
	asked atomic.Int64 // how often for a pick
}

const (
	picking  = "picking"
	refusing = "refusing"
	broken   = "broken"
)

func newReplica(t *testing.T, name, mode string) *replica {
	r := &replica{}
	r.mode.Store(mode)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.URL.Path == "/pick" {
			r.asked.Add(1)
		}
		switch mode := r.mode.Load(); {
		case mode == broken:
			panic(http.ErrAbortHandler)
		case mode == refusing:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "not active", http.StatusServiceUnavailable)
		case request.URL.Path == "/pick":
			fmt.Fprintf(w, `{"server": "gpu-0", "replica": %q, "epoch": %d, "age_ms": 7}`, name, r.epoch.Load())
		}
	}))
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	r.addr = strings.TrimPrefix(server.URL, "http://")
	return r
}

// What comes of requests is counted as what it is, and for the phase in which they were sent.
func TestCounts(t *testing.T) {
	t.Parallel()
	a := newReplica(t, "a", picking)
	a.epoch.Store(1)
	c := Start(Config{Addrs: []string{a.addr}})
	defer c.Stop()
	first, err := c.Next(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, Pick{Server: "gpu-0", Replica: "a", Epoch: 1, AgeMillis: 7}, first)
	row := func(i int) Row { return c.Rows()[i] }
	await := func(what string, done func() bool) {
		t.Helper()
		require.Eventually(t, done, time.Minute, Every, what)
	}

	c.Begin("refused")
	a.mode.Store(refusing)
	await("refusals", func() bool { return row(0).Refused > 2 })
	c.Begin("errors")
	a.mode.Store(broken)
	await("errors", func() bool { return row(1).Errors > 2 })
	before := len(c.Answers())
	c.Begin("again")
	a.mode.Store(picking)
	await("answers", func() bool { return row(0).Answered == row(0).Sent && row(1).Answered == row(1).Sent })
	c.Stop()
	rows := c.Rows()
	require.Len(t, rows, 3)
	for _, r := range rows {
		require.Equal(t, r.Sent, r.Answered, r.Phase)
		require.LessOrEqual(t, r.Retried, r.Sent, r.Phase)
	}
	require.Positive(t, rows[1].Retried)
	var longest time.Duration
	answers := c.Answers()
	for i := before; i < len(answers); i++ {
		longest = max(longest, answers[i].Got.Sub(answers[i-1].Got))
	}
	require.Equal(t, longest, rows[2].Longest, "from the last answer before the refusals")
	require.NoError(t, c.Audit())
	require.Contains(t, Table(rows), fmt.Sprintf("| %6d |", rows[0].Sent))
}

// Of several replicas the active one is asked, and two that answer after one another are found.
func TestActiveIsAsked(t *testing.T) {
	t.Parallel()
	a, b := newReplica(t, "a", picking), newReplica(t, "b", refusing)
	a.epoch.Store(1)
	b.epoch.Store(2)
	c := Start(Config{Addrs: []string{a.addr, b.addr}})
	defer c.Stop()
	_, err := c.Next(t.Context(), 0)
	require.NoError(t, err)
	a.mode.Store(refusing)
	b.mode.Store(picking)
	second, err := c.Next(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "b", second.Replica)
	require.NoError(t, c.Audit())

	b.mode.Store(refusing)
	a.mode.Store(picking) // of the earlier term, as if it had not noticed
	answers := len(c.Answers())
	require.Eventually(t, func() bool {
		all := c.Answers()
		return len(all) > answers && all[len(all)-1].Name == "a"
	}, time.Minute, Every)
	c.Stop()
	require.ErrorContains(t, c.Audit(), "a answers for epoch 1")
}

// Nobody says that it is active, and so nobody is asked. Requests are given up.
func TestNobodyIsAsked(t *testing.T) {
	t.Parallel()
	a := newReplica(t, "a", refusing)
	c := Start(Config{Addrs: []string{a.addr, "127.0.0.1:1"}, Patience: time.Second})
	c.Begin("nobody")
	require.Eventually(t, func() bool { return c.Rows()[0].Refused > 1 }, time.Minute, Every)
	c.Stop()
	row := c.Rows()[0]
	require.Zero(t, row.Answered)
	require.Zero(t, row.Errors)
	require.Equal(t, row.Sent, row.Retried)
	require.Zero(t, a.asked.Load(), "a standby")
	require.Empty(t, c.Answers())
}
