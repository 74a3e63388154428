package fencingtest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

const (
	// termLength is how long an active has the newest token.
	termLength = 30 * time.Millisecond
	// atLongest is how much longer than asked for it goes on until enough happened.
	atLongest = 20 * time.Second
)

// hammer is split brain, forced: two actives present tokens as fast as they can, each sure that it
// is the one. In turns, one gets a newer token, announces it and goes on; the other never learns.
func hammer(p *probe) {
	h := &hammered{probe: p, began: time.Now()}
	ctx, cancel := context.WithTimeout(p.ctx, p.Hammer+atLongest)
	defer cancel()
	h.tokens[0].Store(1)
	h.tokens[1].Store(2)
	actives := [2]fencing.Guard{p.again(), p.again()}
	elector, reader := p.again(), p.again()
	var all sync.WaitGroup
	all.Go(func() {
		defer cancel()
		h.elect(ctx, elector)
	})
	for id, g := range actives {
		all.Go(func() { h.act(ctx, id, g) })
	}
	all.Go(func() { h.look(ctx, reader) })
	all.Wait()
	h.judge()
	if last := h.announced.Load(); last > 0 {
		p.marked(Token(last, 0))
	}
}

// hammered is what happened, by one clock.
type hammered struct {
	*probe
	began     time.Time
	clock     atomic.Int64
	announced atomic.Int64    // the highest epoch whose announcement returned
	tokens    [2]atomic.Int64 // the epochs that the actives believe in

	mu       sync.Mutex
	attempts []attempt
	looks    []look
}

// attempt is a token that was presented, with an effect where there is one.
type attempt struct {
	epoch, from, to int64
	value           string
	err             error
	announces       bool
}

// look is a value that was read.
type look struct {
	from, to int64
	value    string
}

func (h *hammered) done(a attempt) {
	a.to = h.clock.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.attempts = append(h.attempts, a)
}

// enough reports whether what happened says something.
func (h *hammered) enough() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	admitted, refused := false, false
	for _, a := range h.attempts {
		admitted = admitted || !a.announces && a.err == nil
		refused = refused || !a.announces && fencing.KindOf(a.err).Refused()
	}
	return admitted && refused && h.announced.Load() >= 4
}

// elect announces one epoch after the other until it was long enough.
func (h *hammered) elect(ctx context.Context, g fencing.Guard) {
	for epoch := int64(3); ctx.Err() == nil; epoch++ {
		time.Sleep(termLength)
		a := attempt{epoch: epoch, from: h.clock.Add(1), announces: true}
		a.err = settle(h.ctx, func() error { return g.Announce(h.ctx, Token(epoch, 0)) })
		h.done(a)
		if a.err != nil {
			h.found("Announce(%v), which is the newest: %v, want nil", Token(epoch, 0), a.err)
			return
		}
		h.announced.Store(epoch)
		h.tokens[epoch%2].Store(epoch)
		if h.wrong() || time.Since(h.began) > h.Hammer && h.enough() {
			return
		}
	}
	if !h.enough() {
		h.found("too little happened in %v to say anything", time.Since(h.began))
	}
}

// act presents the token that one active believes in.
func (h *hammered) act(ctx context.Context, id int, g fencing.Guard) {
	for i := 0; ctx.Err() == nil; i++ {
		t, newest := Token(h.tokens[id].Load(), 0), h.announced.Load()
		value := fmt.Sprintf("%d, %d of active %d", t.Epoch, i, id)
		a := attempt{epoch: t.Epoch, from: h.clock.Add(1), value: value}
		a.err = h.present(g, t, value)
		h.done(a)
		if a.err == nil && t.Epoch < newest {
			h.found("%v was admitted after Announce(%v) had returned", t, Token(newest, 0))
		}
		time.Sleep(time.Millisecond)
	}
}

// present has an effect, or the guard check, or if it can do neither, announces.
func (h *hammered) present(g fencing.Guard, t fencing.Token, value string) error {
	if h.writes() {
		return h.write(h.ctx, g, t, value, nothing)
	}
	if c, ok := g.(fencing.Checker); ok {
		return c.Check(h.ctx, t)
	}
	return g.Announce(h.ctx, t)
}

// look reads marks, which never fall, and values.
func (h *hammered) look(ctx context.Context, g fencing.Guard) {
	for ctx.Err() == nil {
		newest := h.announced.Load()
		if mark, err := g.Mark(h.ctx, Scope); err == nil && mark.Epoch < newest {
			h.found("Mark is %v after Announce(%v) had returned", mark, Token(newest, 0))
		}
		if h.writes() {
			l := look{from: h.clock.Add(1)}
			var err error
			if l.value, err = h.read(h.ctx, g); err == nil {
				l.to = h.clock.Add(1)
				h.looks = append(h.looks, l)
			}
		}
		time.Sleep(time.Millisecond)
	}
}
