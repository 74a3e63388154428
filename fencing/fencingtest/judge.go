package fencingtest

import (
	"cmp"
	"slices"

	"github.com/hotseat-go/hotseat/fencing"
)

// known is what holds for whatever is read from some time on.
type known struct {
	admitted int64            // the highest epoch that was admitted
	wrote    attempt          // the latest that was answered with nil, of that active's
	seen     attempt          // the newest of which a value was read
	frozen   map[int64]string // the older value there was, by admitted
}

// judge looks through what was read while actives wrote, in the order in which one reader read it.
func (h *hammered) judge() {
	by := map[string]attempt{}
	for _, a := range h.attempts {
		if !a.announces {
			by[a.value] = a
		}
	}
	slices.SortFunc(h.attempts, func(a, b attempt) int { return cmp.Compare(a.to, b.to) })
	k := known{frozen: map[int64]string{}}
	ended := h.attempts
	for _, l := range h.looks {
		for len(ended) > 0 && ended[0].to < l.from {
			k.learn(ended[0])
			ended = ended[1:]
		}
		of, written := by[l.value]
		if l.value != "" && !written {
			h.found("the value is %q, which nobody wrote", l.value)
			return
		}
		h.judgeLook(l, of, k)
		k.look(l, of)
	}
}

func (k *known) learn(a attempt) {
	if a.err != nil {
		return
	}
	k.admitted = max(k.admitted, a.epoch)
	if !a.announces && !a.before(k.wrote) {
		k.wrote = a
	}
}

func (k *known) look(l look, of attempt) {
	if of.epoch < k.admitted {
		k.frozen[k.admitted] = l.value
	}
	if !of.before(k.seen) {
		k.seen = of
	}
}

// before reports whether a is of an older term than b, or an earlier one of the same.
func (a attempt) before(b attempt) bool {
	return cmp.Or(cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.from, b.from)) < 0
}

// judgeLook judges one value that was read, and the write that it is of.
func (h *hammered) judgeLook(l look, of attempt, k known) {
	was, frozen := k.frozen[k.admitted]
	switch older := Token(of.epoch, 0); {
	case fencing.KindOf(of.err).Refused():
		h.found("a write under %v had its effect and was refused: %v", older, of.err)
	case of.epoch < k.seen.epoch:
		h.found("an effect of %v landed over one of %v", older, Token(k.seen.epoch, 0))
	case of.epoch < k.admitted && frozen && was != l.value:
		h.found("an effect of %v landed after %v was admitted", older, Token(k.admitted, 0))
	case of.epoch < k.wrote.epoch, of.err == nil && of.before(k.wrote):
		h.found("the value is %q after a later write, %q, was answered with nil", l.value, k.wrote.value)
	}
}
