package fencingtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// shelf is a store with one mark and one value.
type shelf struct {
	step sync.Mutex // held over a read and a write that are one step

	mu          sync.Mutex // of the fields
	mark, value string
	writes      int
	gone        error
}

func (s *shelf) with(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// toy is a guard over a shelf, with its bug, if any.
type toy struct {
	shelf *shelf
	bug   bug
	kept  fencing.Token // by a guard that keeps its mark to itself
}

type bug string

const (
	none              bug = ""
	forgetsMark       bug = "keeps the mark to itself"
	resetsMark        bug = "takes a damaged mark for none"
	admitsStale       bug = "admits what is stale"
	lowersMark        bug = "stores whatever was presented"
	refusesCurrent    bug = "refuses the mark itself"
	failsOpen         bug = "admits when the store is down"
	takesOtherScope   bug = "takes tokens of another scope"
	takesMalformed    bug = "takes what is no token"
	takesMissing      bug = "takes what has no token"
	announcesUnfenced bug = "lets AllowUnfenced announce"
	unfencesStale     bug = "admits what is stale where AllowUnfenced is"
	comparesText      bug = "compares epochs as text"
	comparesDoubles   bug = "compares epochs as doubles"
	admitsRival       bug = "admits another term with the mark's epoch"
	raisesNotByWrite  bug = "raises by announcements only"
	checksThenWrites  bug = "lets go between check and effect"
	writesThenRefuses bug = "writes before it checks"
	losesWrites       bug = "loses one write in ten"
	answersTooSoon    bug = "answers announcements before they are stored"
	tellsNoMark       bug = "does not tell which mark won"
	blamesToken       bug = "blames the token for a damaged mark"
	raisesInTwoSteps  bug = "reads the mark and raises it in two steps"
	raisesThenWrites  bug = "lets go between raising the mark and the effect"
)

func (g *toy) is(b bug) bool { return g.bug == b }

func (g *toy) Announce(ctx context.Context, t fencing.Token) error {
	if g.is(answersTooSoon) {
		if err := fencing.OwnToken(t, Scope); err != nil {
			return err
		}
		mark, err := g.Mark(ctx, Scope)
		if err != nil {
			return err
		}
		if _, err := fencing.Judge(t, mark); err != nil {
			return err
		}
		time.AfterFunc(3*time.Millisecond, func() { _ = g.admit(t, false, nothing) })
		return nil
	}
	if g.is(announcesUnfenced) && fencing.Unfenced(ctx, t) {
		return nil
	}
	return g.admit(t, false, nothing)
}

func (g *toy) Check(ctx context.Context, t fencing.Token) error {
	return g.Write(ctx, t, nothing)
}

func (g *toy) Mark(_ context.Context, scope string) (fencing.Token, error) {
	if g.is(takesOtherScope) {
		scope = Scope
	}
	if err := fencing.OwnScope(scope, Scope); err != nil {
		return fencing.Token{}, err
	}
	g.shelf.step.Lock()
	defer g.shelf.step.Unlock()
	return g.mark()
}

// Write has an effect, if t is admitted.
func (g *toy) Write(ctx context.Context, t fencing.Token, effect func()) error {
	_, allowed := fencing.UnfencedReason(ctx)
	switch {
	case fencing.Unfenced(ctx, t), allowed && g.is(unfencesStale), t.IsZero() && g.is(takesMissing):
		g.shelf.step.Lock()
		defer g.shelf.step.Unlock()
		effect()
		return nil
	case g.is(checksThenWrites):
		err := g.admit(t, true, nothing)
		if err == nil {
			effect()
		}
		return err
	case g.is(writesThenRefuses):
		effect()
	}
	return g.admit(t, true, effect)
}

func (g *toy) admit(t fencing.Token, byWrite bool, effect func()) error {
	if err := g.valid(t); err != nil {
		return err
	}
	g.shelf.step.Lock()
	unlock := sync.OnceFunc(g.shelf.step.Unlock)
	defer unlock()
	mark, err := g.mark()
	if err != nil {
		if g.is(failsOpen) {
			return nil
		}
		return err
	}
	raises, err := g.judge(t, mark)
	if err != nil {
		return err
	}
	if raises && g.is(raisesInTwoSteps) {
		g.shelf.step.Unlock()
		time.Sleep(time.Millisecond)
		g.shelf.step.Lock()
	}
	if raises && (!byWrite || !g.is(raisesNotByWrite)) || g.is(lowersMark) {
		g.put(t)
	}
	if raises && g.is(raisesThenWrites) {
		unlock()
	}
	effect()
	return nil
}

func (g *toy) valid(t fencing.Token) error {
	err := fencing.OwnToken(t, Scope)
	if g.is(takesOtherScope) && errors.Is(err, fencing.ErrScope) ||
		g.is(takesMalformed) && errors.Is(err, fencing.ErrMalformed) {
		return nil
	}
	return err
}

func (g *toy) judge(t, mark fencing.Token) (raises bool, err error) {
	switch {
	case g.is(takesOtherScope), g.is(takesMalformed):
		return mark.Epoch < t.Epoch, nil
	case mark.IsZero():
	case g.is(comparesText):
		return fmt.Sprint(t.Epoch) > fmt.Sprint(mark.Epoch), nil
	case g.is(comparesDoubles) && t.Epoch > mark.Epoch && float64(t.Epoch) == float64(mark.Epoch):
		return false, nil
	case g.is(refusesCurrent) && t == mark:
		return false, &fencing.StaleError{Presented: t, Mark: mark}
	}
	raises, err = fencing.Judge(t, mark)
	switch kind := fencing.KindOf(err); {
	case kind == fencing.KindStale && (g.is(admitsStale) || g.is(lowersMark)),
		kind == fencing.KindConflict && g.is(admitsRival):
		return false, nil
	case kind == fencing.KindStale && g.is(tellsNoMark):
		return false, fencing.ErrStale
	}
	return raises, err
}

// mark and put are parts of a step.
func (g *toy) mark() (mark fencing.Token, err error) {
	var text string
	g.shelf.with(func() { text, err = g.shelf.mark, g.shelf.gone })
	switch {
	case err != nil:
		return fencing.Token{}, fencing.FailClosed(err)
	case g.is(forgetsMark):
		return g.kept, nil
	case text == "":
		return fencing.Token{}, nil
	}
	mark, err = fencing.ParseMark(text, Scope)
	switch {
	case err != nil && g.is(resetsMark):
		return fencing.Token{}, nil
	case err != nil && g.is(blamesToken):
		return fencing.Token{}, fencing.ErrMalformed
	}
	return mark, err
}

func (g *toy) put(t fencing.Token) {
	g.kept = t
	g.shelf.with(func() { g.shelf.mark = t.String() })
}

// set is an effect.
func (g *toy) set(value string) {
	g.shelf.with(func() {
		g.shelf.writes++
		if !g.is(losesWrites) || g.shelf.writes%10 > 0 {
			g.shelf.value = value
		}
	})
}

func toys(b bug) Suite {
	return Suite{
		Open: func(testing.TB) fencing.Guard { return &toy{shelf: &shelf{}, bug: b} },
		Reopen: func(_ testing.TB, g fencing.Guard) fencing.Guard {
			return &toy{shelf: g.(*toy).shelf, bug: b}
		},
		Write: func(
			ctx context.Context, g fencing.Guard, t fencing.Token, value string, between func(),
		) error {
			toy := g.(*toy)
			return toy.Write(ctx, t, func() {
				between()
				toy.set(value)
			})
		},
		Read: func(_ context.Context, g fencing.Guard) (string, error) {
			s := g.(*toy).shelf
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.value, nil
		},
		Damage: func(_ testing.TB, g fencing.Guard, text string) {
			g.(*toy).shelf.mark = Scope + "@" + text + "." + Token(5, 0).Term
		},
		Break: func(_ testing.TB, g fencing.Guard) (repair func()) {
			s := g.(*toy).shelf
			s.with(func() { s.gone = errors.New("no route to host") })
			return func() { s.with(func() { s.gone = nil }) }
		},
		Hammer: 300 * time.Millisecond,
	}
}
