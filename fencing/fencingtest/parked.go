package fencingtest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// wrong is how long a guard has to be wrong: one that waits for a write must not answer before it.
const wrong = 300 * time.Millisecond

// parked parks a write under the mark.
func parked(p *probe) { p.parked(Token(1, 0)) }

// parkedRaise parks the first write of a term whose token was never announced: it raises the mark,
// and has its effect under it.
func parkedRaise(p *probe) { p.parked() }

// parked stops a write between its check and its effect and announces a newer token. The write
// goes on once that is announced, or once the announcement is seen to wait for it. It may take
// effect before the announcement returns, or never.
func (p *probe) parked(before ...fencing.Token) {
	if !p.writes() {
		p.skipped = "no Suite.Write, and the guard is no Tracker"
		return
	}
	older, newer := Token(1, 0), Token(2, 0)
	for _, t := range before {
		p.announce(t)
	}
	successor, reader := p.again(), p.again()

	write := p.park(older)
	defer write.resume()
	select {
	case <-write.stopped:
	case err := <-write.answer:
		p.found("Write never called between: %v", err)
		return
	}
	announced := make(chan error, 1)
	go func() {
		announced <- settle(p.ctx, func() error { return successor.Announce(p.ctx, newer) })
	}()
	var value string
	select {
	case err := <-announced: // nothing of the older term can take effect any more
		value = p.after(err, reader)
		write.resume()
	case <-time.After(wrong):
		write.resume()
		value = p.after(<-announced, reader)
	}
	outcome := <-write.answer
	switch after := p.after(nil, reader); {
	case after != value:
		p.found("a write under %v, answered with %v, had its effect after Announce(%v): %q, then %q",
			older, outcome, newer, value, after)
	case outcome == nil && after != "parked":
		p.found("a write was answered with nil and had no effect: the value is %q", after)
	}
	if err := p.write(p.ctx, p.guard, older, "again", nothing); !errors.Is(err, fencing.ErrStale) {
		p.found("Write under %v after Announce(%v): %v, want %v", older, newer, err, fencing.ErrStale)
	}
}

// after returns the value once the newer token was announced.
func (p *probe) after(announced error, reader fencing.Guard) string {
	if announced != nil {
		p.found("Announce of a newer token beside a write: %v", announced)
	}
	value, err := p.read(p.ctx, reader)
	if err != nil {
		p.found("Read: %v", err)
	}
	return value
}

// parkedWrite is a write that waits between its check and its effect.
type parkedWrite struct {
	stopped chan struct{} // closed once it waits
	answer  chan error
	resume  func()
}

func (p *probe) park(t fencing.Token) parkedWrite {
	ctx, resume := context.WithCancel(p.ctx)
	w := parkedWrite{stopped: make(chan struct{}), answer: make(chan error, 1), resume: resume}
	var once sync.Once
	go func() {
		w.answer <- p.write(p.ctx, p.guard, t, "parked", func() {
			once.Do(func() { close(w.stopped) })
			<-ctx.Done()
		})
	}()
	return w
}
