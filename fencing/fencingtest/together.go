package fencingtest

import (
	"sync"

	"github.com/hotseat-go/hotseat/fencing"
)

// rounds of raisedTogether. A guard that reads and writes apart is found out by one of a few.
const rounds = 40

// raisedTogether presents two new tokens at once, to two guards over the resource, by all ways in
// that there are: the mark must be the greater one in the end, if that was admitted.
func raisedTogether(p *probe) {
	guards := [2]fencing.Guard{p.again(), p.again()}
	ways := []func(g fencing.Guard, t fencing.Token) error{
		func(g fencing.Guard, t fencing.Token) error { return g.Announce(p.ctx, t) },
	}
	if p.writes() {
		ways = append(ways, func(g fencing.Guard, t fencing.Token) error {
			return p.write(p.ctx, g, t, "together", nothing)
		})
	}
	epoch := int64(1)
	for round := range rounds {
		present := ways[round%len(ways)]
		tokens := [2]fencing.Token{Token(epoch, 0), Token(epoch+1, 0)}
		epoch += 2
		var errs [2]error
		var both sync.WaitGroup
		for i, g := range guards {
			both.Go(func() {
				errs[i] = settle(p.ctx, func() error { return present(g, tokens[i]) })
			})
		}
		both.Wait()
		if errs[1] != nil {
			p.found("%v, the newest, beside %v at the same time: %v, want nil",
				tokens[1], tokens[0], errs[1])
			return
		}
		if kind := fencing.KindOf(errs[0]); kind != "" && kind != fencing.KindStale {
			p.found("%v beside %v at the same time: %v, want nil or stale", tokens[0], tokens[1], errs[0])
		}
		p.marked(tokens[1])
		if p.wrong() {
			return
		}
	}
}
