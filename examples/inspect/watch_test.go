package main

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/lease"
)

// events has the lines that watch writes.
type events struct {
	mu    sync.Mutex
	lines []line
}

// Write is called with one line at a time.
func (e *events) Write(text []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var l line
	err := json.Unmarshal(text, &l)
	e.lines = append(e.lines, l)
	return len(text), err
}

func (e *events) count(event string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.lines {
		if l.Event == event && !l.Time.IsZero() && l.Text != "" {
			n++
		}
	}
	return n
}

// Each change of a Lease is a line, also after the API server was away.
func TestWatch(t *testing.T) {
	b := newBed(t)
	b.active(0)
	b.start("b", 0)
	b.pod("b", true)
	waitForCandidates(t, b, "b")

	seen := &events{}
	await := func(event string, times int) {
		t.Helper()
		require.Eventually(t, func() bool { return seen.count(event) >= times }, 60*time.Second, 10*time.Millisecond,
			event)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var stderr bytes.Buffer
	finished := make(chan int, 1)
	go func() {
		finished <- b.runTo(ctx, seen, &stderr, "watch", "invoicer", "-o", "json", "--request-timeout", "2s")
	}()
	await("seen", 1)
	b.exits(exitFine, "handover", "invoicer", "--to", "b")
	await("successor", 2) // named, and answered
	await("released", 1)
	await("acquired", 1)
	b.server.Link(anonymous).Cut()
	await("away", 1)
	b.server.Link(anonymous).Heal()
	await("reached", 1)
	b.server.DeleteLease("shop", "invoicer")
	await("deleted", 1)
	await("acquired", 2)
	cancel()
	require.Equal(t, exitFine, <-finished, &stderr)
	require.Zero(t, seen.count("renewed"))
	require.Equal(t, 1, seen.count("away"))
}

func TestDifference(t *testing.T) {
	const a, b = "a_31d523f85aa30e15", "b_84ca62bd7dbd31a3"
	base := func() lease.Record { return made(t, a, "t1", "5", "") }
	for name, tt := range map[string]struct {
		before, now lease.Record
		known       bool
		event, text string
	}{
		"first":      {lease.Record{}, base(), false, "seen", "a holds it, epoch 5"},
		"first free": {lease.Record{}, made(t, "", "t1", "5", ""), false, "seen", "nobody holds it"},
		"takeover":   {base(), made(t, b, "t2", "9", ""), true, "acquired", "b acquired it, epoch 9, without a release by a"},
		"same again": {base(), made(t, a, "t2", "9", ""), true, "acquired", "a acquired it, epoch 9"},
		"cleared":    {base(), made(t, "", "t1", "5", ""), true, "cleared", "somebody removed the holder a"},
		"raised":     {base(), made(t, a, "t1", "6", ""), true, "raised", "from 5 to 6 within a term"},
		"named":      {base(), made(t, a, "t1", "5", "b"), true, "successor", "b is named as the next holder"},
		"answered":   {base(), made(t, a, "t1", "5", b), true, "successor", "b answered"},
		"withdrawn":  {made(t, a, "t1", "5", "b"), base(), true, "successor", "was removed"},
		"nothing":    {base(), base(), true, "", ""},
	} {
		event, text := difference(tt.before, tt.now, tt.known)
		require.Equal(t, tt.event, event, name)
		require.Contains(t, text, tt.text, name)
	}
}
