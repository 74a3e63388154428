package fencingtest

import (
	"errors"

	"github.com/hotseat-go/hotseat/fencing"
)

// markOutlivesTheGuard: what one guard was told, the next one knows.
func markOutlivesTheGuard(p *probe) {
	if p.Reopen == nil {
		p.skipped = "no Suite.Reopen: marks end with the guard"
		return
	}
	p.announce(Token(5, 0))
	p.guard = p.Reopen(p.t, p.guard)
	p.marked(Token(5, 0))
	p.stale(Token(4, 0), Token(5, 0))
	p.conflict(Token(5, 1), Token(5, 0))
	p.sets(Token(6, 0), "a")
	p.guard = p.Reopen(p.t, p.guard)
	p.stale(Token(5, 0), Token(6, 0))
}

// closed expects that the mark and what is newer are answered as by a guard that cannot know. What
// is older, a guard that remembers may know to be stale.
func (p *probe) closed(when string) {
	answers := map[string]error{}
	for _, epoch := range []int64{6, 5} {
		for _, d := range p.doors() {
			answers[d.name+" of "+Token(epoch, 0).String()] = d.present(p.ctx, Token(epoch, 0))
		}
	}
	_, answers["Mark"] = p.guard.Mark(p.ctx, Scope)
	for what, err := range answers {
		if !errors.Is(err, fencing.ErrUnavailable) && !errors.Is(err, fencing.ErrWiring) {
			p.found("%s %s: %v, want %v", what, when, err, fencing.ErrUnavailable)
		}
	}
}

// damagedMark: what cannot be read admits nothing, and is not set anew.
func damagedMark(p *probe) {
	if p.Damage == nil {
		p.skipped = "no Suite.Damage: nothing is stored that could be damaged"
		return
	}
	for i, text := range []string{
		"", "0", "-1", "+5", "007", "5.0", "1e3", " 5", "abc",
		"9223372036854775808", "1234567890123456789012345678901234567890",
	} {
		if i > 0 {
			p.open()
		}
		p.sets(Token(5, 0), "a")
		p.Damage(p.t, p.guard, text)
		for range 2 { // also after the first refusal
			p.closed(`with the epoch "` + text + `" in the mark`)
		}
	}
}

// brokenStore: who cannot ask does not admit, and learns nothing from it.
func brokenStore(p *probe) {
	if p.Break == nil {
		p.skipped = "no Suite.Break: the store is always there"
		return
	}
	p.sets(Token(5, 0), "a")
	repair := p.Break(p.t, p.guard)
	p.closed("without the store")
	repair()
	if err := settle(p.ctx, func() error { return p.guard.Announce(p.ctx, Token(5, 0)) }); err != nil {
		p.found("Announce(%v) once the store is there again: %v, want nil", Token(5, 0), err)
	}
	p.marked(Token(5, 0))
	if p.writes() {
		p.holds("a")
	}
	p.stale(Token(4, 0), Token(5, 0))
}
