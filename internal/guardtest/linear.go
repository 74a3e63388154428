package guardtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// Load says how much [Suite.Linearizable] plays.
type Load struct {
	Rounds  int           // histories, each on a fresh resource; default 10
	Clients int           // at once; default 4
	Calls   int           // of each client in a round; default 40
	Pause   time.Duration // longest pause between check and effect, and between calls; default 2 ms
	Timeout time.Duration // of each call; default 10 s
}

func (l Load) orDefault() Load {
	for n, otherwise := range map[*int]int{&l.Rounds: 10, &l.Clients: 4, &l.Calls: 40} {
		if *n == 0 {
			*n = otherwise
		}
	}
	if l.Pause == 0 {
		l.Pause = 2 * time.Millisecond
	}
	if l.Timeout == 0 {
		l.Timeout = 10 * time.Second
	}
	return l
}

// Linearizable lets clients announce, check, write and read at once, with tokens
// around the mark, two terms with one epoch among them, and looks for an order
// of the calls that explains all answers. Of a few histories it may remain open
// whether there is one; no history may have none. A client that did not learn what its
// write did tries it again, half of the time.
//
// Faults are the business of Subject.Client: put a [Link] or [Lossy] there.
func (s Suite) Linearizable(t *testing.T, load Load) {
	t.Helper()
	load = load.orDefault()
	total := map[string]int{}
	undecided, rounds := 0, 0
	for ; rounds < load.Rounds || rounds < load.Rounds+more && unseen(total) != nil; rounds++ {
		seed := rand.Uint64()
		h, err := s.play(t, load, seed)
		switch {
		case errors.Is(err, errUndecided):
			undecided++
		case err != nil:
			t.Fatalf("guardtest: seed %d: %v", seed, err)
		}
		for outcome, n := range h.count() {
			total[outcome] += n
		}
	}
	t.Logf("guardtest: %d histories of %d clients have an explanation, of %d it was not found out; calls: %v",
		rounds-undecided, load.Clients, undecided, total)
	if 2*undecided > rounds {
		t.Error("guardtest: most histories were not judged")
	}
	for _, outcome := range unseen(total) {
		t.Errorf("guardtest: no call had the outcome %s: the histories say nothing", outcome)
	}
}

// more histories are played where those that were asked for happened to have no call of an outcome.
const more = 10

// unseen are the outcomes that no call had.
func unseen(total map[string]int) (none []string) {
	for _, outcome := range []string{"ok", "stale", "conflict"} {
		if total[outcome] == 0 {
			none = append(none, outcome)
		}
	}
	return none
}

// play makes one history and judges it.
func (s Suite) play(t testing.TB, load Load, seed uint64) (*history, error) {
	subject := s.New(t)
	h := &history{}
	var top atomic.Int64
	var all sync.WaitGroup
	for id := range load.Clients {
		c := client{
			recorder: recorder{Client: subject.Client(t), history: h},
			rng:      rand.New(rand.NewPCG(seed, uint64(id))),
			load:     load, top: &top,
		}
		all.Go(func() {
			for i := range load.Calls {
				c.step(t.Context(), fmt.Sprintf("%d-%d", id, i))
			}
		})
	}
	all.Wait()
	last := recorder{Client: subject.Client(t), history: h}
	if err := settle(t.Context(), func(ctx context.Context) error {
		_, err := last.read(ctx)
		return errors.Join(err, last.readMark(ctx))
	}); err != nil {
		return h, err
	}
	return h, h.judge()
}

// client is one client of a history.
type client struct {
	recorder
	rng  *rand.Rand
	load Load
	top  *atomic.Int64 // highest epoch that anybody presented
}

func (c client) step(ctx context.Context, value string) {
	ctx, cancel := context.WithTimeout(ctx, c.load.Timeout)
	defer cancel()
	c.pause()
	switch c.rng.IntN(8) {
	case 0:
		_ = c.announce(ctx, c.token())
	case 1:
		_ = c.check(ctx, c.token())
	case 2:
		_ = c.readMark(ctx)
	case 3, 4:
		_, _ = c.read(ctx)
	default:
		t := c.token()
		err := c.write(ctx, t, value, c.pause)
		if err != nil && !refused(err) && c.rng.IntN(2) == 0 {
			_ = c.write(ctx, t, value, c.pause)
		}
	}
}

// token draws one around the highest that was presented. Once in a while it is
// the next, sometimes of another term than an earlier one with its epoch.
func (c client) token() fencing.Token {
	epoch := c.top.Load() + int64(c.rng.IntN(5)) - 3
	if c.rng.IntN(6) == 0 {
		epoch = c.top.Add(1)
	}
	term := 0
	if c.rng.IntN(5) == 0 {
		term = 1
	}
	return Token(max(1, epoch), term)
}

func (c client) pause() {
	if c.rng.IntN(2) == 0 {
		time.Sleep(time.Duration(c.rng.Int64N(int64(c.load.Pause))))
	}
}

// settle calls f until it succeeds, as long as patience lasts.
func settle(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("still failing after %v: %w", patience, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
