package leaderlock_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// Faults drawn at random hit three operators of client-go's elector, whose work may need longer to
// stop than the stop budget. Their processes end when RunElector returns, as main says. No two are
// ever at work at once, and one is again after the faults.
func TestRandomFaults(t *testing.T) {
	seeds := int(whole.Share(60, 15))
	works, unfinished := 0, 0
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inLab(t, func(l lab) {
				h := &house{lab: l, draw: rand.New(rand.NewPCG(17, uint64(seed)))}
				for _, name := range []string{"a", "b", "c"} {
					h.open(name)
				}
				for range 25 {
					h.strike()
					sleep(time.Duration(h.draw.Int64N(int64(8 * second))))
				}
				h.heal()
				sleep(time.Minute)
				overlap, now := h.judge()
				require.Zero(l, overlap, "two at work")
				require.Equal(l, 1, now, "one is at work when all is well")
				h.close()
				works, unfinished = works+len(h.works), unfinished+int(h.unfinished.Load())
			})
		})
	}
	require.Greater(t, works, 3*seeds, "faults that do nothing show nothing")
	require.Greater(t, unfinished, seeds/2)
}

// house is where three operators live. The test's goroutine owns all but what mu guards.
type house struct {
	lab
	draw  *rand.Rand
	stops []context.CancelFunc
	done  sync.WaitGroup
	links map[string]*singletontest.Link
	heals []func()

	unfinished atomic.Int32 // processes that ended in the midst of their work

	mu      sync.Mutex
	works   []*work
	restart map[string]context.CancelFunc // ends a replica's process gracefully
}

// work is a call of OnStartedLeading: until it returns, or its process ends.
type work struct {
	process  context.Context //nolint:containedctx // which process it is of
	from, to time.Time
	over     bool
}

func (h *house) begin(process context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.works = append(h.works, &work{process: process, from: time.Now()})
}

// end ends the work of a process.
func (h *house) end(process context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.works {
		if w.process == process && !w.over {
			w.to, w.over = time.Now(), true
		}
	}
}

// judge returns for how long two were at work, and how many are.
func (h *house) judge() (overlap time.Duration, now int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	until := time.Time{}
	for _, w := range h.works { // in the order in which they began
		overlap = max(overlap, until.Sub(w.from))
		to := w.to
		if !w.over {
			to, now = time.Now(), now+1
		}
		if to.After(until) {
			until = to
		}
	}
	if until.IsZero() {
		overlap = 0
	}
	return overlap, now
}

// open lets a replica live: a process after another, each with a pause before it.
func (h *house) open(name string) {
	ctx, cancel := context.WithCancel(context.Background())
	h.stops = append(h.stops, cancel)
	if h.links == nil {
		h.links, h.restart = map[string]*singletontest.Link{}, map[string]context.CancelFunc{}
	}
	h.links[name] = h.Link(name)
	drains := rand.New(rand.NewPCG(h.draw.Uint64(), 1))
	h.done.Go(func() {
		for ctx.Err() == nil {
			life, end := context.WithCancel(ctx)
			h.mu.Lock()
			h.restart[name] = end
			drain := time.Duration(drains.Int64N(int64(8 * second)))
			h.mu.Unlock()
			h.live(life, name, drain)
			end()
			select {
			case <-time.After(2 * second):
			case <-ctx.Done():
			}
		}
	})
	synctest.Wait()
}

// live is a process. It ends when RunElector returns, whatever of it still runs in this test.
func (h *house) live(ctx context.Context, name string, drain time.Duration) {
	err := h.lock(name).RunElector(ctx, electionConfig(defaults(), func(leading context.Context) {
		h.begin(ctx)
		<-leading.Done()
		time.Sleep(drain)
		h.end(ctx)
	}, nil))
	h.end(ctx)
	if errors.Is(err, singleton.ErrUnfinished) {
		h.unfinished.Add(1)
	}
}

// strike does one thing that nobody wants.
func (h *house) strike() {
	names := []string{"a", "b", "c"}
	name := names[h.draw.IntN(len(names))]
	link := h.links[name]
	switch h.draw.IntN(12) {
	case 0:
		link.BlackHole()
	case 1:
		link.Cut()
	case 2:
		link.Freeze()
	case 3, 4, 5:
		link.Heal()
	case 6:
		h.heals = append(h.heals, link.Inject(singletontest.Fault{
			Verbs: []string{"patch", "update", "create"}, Count: 3, DelayAfter: 12 * second,
		}))
	case 7:
		h.heals = append(h.heals, link.Inject(singletontest.Fault{Count: 4, LoseAnswer: true}))
	case 8:
		h.DeleteLease()
	case 9:
		_ = h.EditLease(func(x *coordv1.Lease) { x.Spec.HolderIdentity = nil }) // if it is there
	case 10:
		_ = h.EditLease(func(x *coordv1.Lease) {
			other, at := "another", metav1.NowMicro()
			x.Spec.HolderIdentity, x.Spec.RenewTime = &other, &at
		})
	case 11:
		h.mu.Lock()
		end := h.restart[name]
		h.mu.Unlock()
		end()
	}
	synctest.Wait()
}

func (h *house) heal() {
	for _, heal := range h.heals {
		heal()
	}
	for _, link := range h.links {
		link.Heal()
	}
}

func (h *house) close() {
	for _, stop := range h.stops {
		stop()
	}
	h.done.Wait()
	time.Sleep(10 * second) // work that outlived its process in this test
}
