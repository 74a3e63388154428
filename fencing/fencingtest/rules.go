package fencingtest

import (
	"errors"
	"math"

	"github.com/hotseat-go/hotseat/fencing"
)

func nothingYet(p *probe) {
	p.marked(fencing.Token{})
	p.holds("")
}

// announcedIsAdmitted: more than once, and at every door.
func announcedIsAdmitted(p *probe) {
	for range 2 {
		p.announce(Token(7, 0))
		p.marked(Token(7, 0))
	}
	p.holds("")
	for _, d := range p.doors() {
		if err := d.present(p.ctx, Token(7, 0)); err != nil {
			p.found("%s under the mark: %v, want nil", d.name, err)
		}
	}
	p.sets(Token(7, 0), "a")
	p.sets(Token(7, 0), "b")
	p.marked(Token(7, 0))
}

// olderIsRefused, also one that is newer than all that ever wrote.
func olderIsRefused(p *probe) {
	p.sets(Token(7, 0), "a")
	p.announce(Token(9, 0))
	p.stale(Token(7, 0), Token(9, 0))
	p.stale(Token(8, 0), Token(9, 0))
	p.sets(Token(9, 0), "b")
}

// effectsRaise: a token that comes with an effect and was never announced is the mark from then on.
func effectsRaise(p *probe) {
	for i, d := range p.effects() {
		if i > 0 {
			p.open()
			d = p.effects()[i]
		}
		for _, epoch := range []int64{3, 5} {
			if err := d.present(p.ctx, Token(epoch, 0)); err != nil {
				p.found("%s(%v), newer than the mark: %v, want nil", d.name, Token(epoch, 0), err)
			}
			p.marked(Token(epoch, 0))
		}
		p.stale(Token(3, 0), Token(5, 0))
	}
}

func oneEpochTwoTerms(p *probe) {
	p.announce(Token(4, 1))
	p.conflict(Token(4, 0), Token(4, 1))
	p.conflict(Token(4, 2), Token(4, 1))
	p.sets(Token(4, 1), "a")
	p.conflict(Token(4, 0), Token(4, 1))
	p.sets(Token(5, 2), "b")
	p.conflict(Token(5, 1), Token(5, 2))
	p.stale(Token(4, 1), Token(5, 2))
}

// numbersAreExact: compared neither as text, where 9 is above 10, nor as doubles, where 2^53 and
// 2^53+1 are one.
func numbersAreExact(p *probe) {
	for _, epochs := range [][2]int64{
		{9, 10},
		{99, 100},
		{1<<31 - 1, 1 << 31},
		{1 << 53, 1<<53 + 1},
		{999_999_999_999_999_999, 1_000_000_000_000_000_000},
		{math.MaxInt64 - 1, math.MaxInt64},
	} {
		older, newer := Token(epochs[0], 0), Token(epochs[1], 0)
		p.announce(older)
		p.conflict(Token(epochs[0], 1), older)
		p.sets(newer, newer.String())
		p.marked(newer)
		p.stale(older, newer)
	}
}

func missingToken(p *probe) {
	p.refusesAs(fencing.Token{}, fencing.ErrMissing)
	p.sets(Token(3, 0), "a")
	p.refusesAs(fencing.Token{}, fencing.ErrMissing)
}

// unfenced: AllowUnfenced stands in for a missing token with an effect. It lets no stale one in,
// and announces nothing.
func unfenced(p *probe) {
	p.sets(Token(3, 0), "a")
	p.announce(Token(5, 0))
	p.ctx = fencing.AllowUnfenced(p.ctx, "the suite")
	p.stale(Token(3, 0), Token(5, 0))
	err := p.guard.Announce(p.ctx, fencing.Token{})
	if want := fencing.ErrMissing; !errors.Is(err, want) {
		p.found("Announce of no token in a context of AllowUnfenced: %v, want %v", err, want)
	}
	for _, d := range p.effects() {
		_ = d.present(p.ctx, fencing.Token{}) // no allowance crosses a wire: a far guard may refuse
	}
	p.marked(Token(5, 0))
	p.stale(Token(3, 0), Token(5, 0))
}

func malformedToken(p *probe) {
	p.sets(Token(3, 0), "a")
	good := Token(4, 0)
	for _, bad := range []fencing.Token{
		{Scope: Scope, Epoch: 0, Term: good.Term},
		{Scope: Scope, Epoch: -1, Term: good.Term},
		{Scope: Scope, Epoch: math.MinInt64, Term: good.Term},
		{Scope: Scope, Epoch: 4, Term: ""},
		{Scope: Scope, Epoch: 4, Term: good.Term[1:]},
		{Scope: Scope, Epoch: 4, Term: "G" + good.Term[1:]},
		{Scope: "", Epoch: 4, Term: good.Term},
		{Scope: "a b", Epoch: 4, Term: good.Term},
		{Scope: `a"b`, Epoch: 4, Term: good.Term},
		{Scope: "a\nb", Epoch: 4, Term: good.Term},
	} {
		p.refusesAs(bad, fencing.ErrMalformed)
	}
}

func otherScope(p *probe) {
	other := Token(9, 0)
	other.Scope = "shop/other"
	p.sets(Token(3, 0), "a")
	if !p.AnyScope {
		p.refusesAs(other, fencing.ErrScope)
		if _, err := p.guard.Mark(p.ctx, other.Scope); !errors.Is(err, fencing.ErrScope) {
			p.found("Mark of another scope: %v, want %v", err, fencing.ErrScope)
		}
		return
	}
	p.announce(other)
	p.marked(Token(3, 0))
	p.sets(Token(3, 0), "b")
	for scope, want := range map[string]fencing.Token{other.Scope: other, "shop/unseen": {}} {
		if got, err := p.guard.Mark(p.ctx, scope); err != nil || got != want {
			p.found("Mark of %s: %v, %v, want %v", scope, got, err, want)
		}
	}
}

func malformedScope(p *probe) {
	for _, scope := range []string{"", "a b", "a,b", `a"`} {
		if _, err := p.guard.Mark(p.ctx, scope); !errors.Is(err, fencing.ErrMalformed) {
			p.found("Mark of %q: %v, want %v", scope, err, fencing.ErrMalformed)
		}
	}
}
