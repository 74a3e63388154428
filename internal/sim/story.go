package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hotseat-go/hotseat/singleton"
)

// line of a story.
type line struct {
	at     time.Duration
	step   int
	driver bool // told by the driver, in order; else by a process
	node   int
	text   string
}

// note adds to the story; the world's mutex is held.
func (c *checker) note(node int, driver bool, text string) {
	if c.record {
		c.story = append(c.story, line{c.w.now(), c.w.steps, driver, node, text})
	}
}

// tell adds to the story.
func (c *checker) tell(node int, text string) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.note(node, true, text)
}

// told is the story in an order that no scheduler decides: what processes said
// within one step is sorted.
func (c *checker) told() []line {
	out := slices.Clone(c.story)
	slices.SortStableFunc(out, func(a, b line) int {
		order := cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.step, b.step))
		if order != 0 || a.driver && b.driver {
			return order
		}
		if a.driver != b.driver {
			if a.driver {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.node, b.node), strings.Compare(a.text, b.text))
	})
	return out
}

func (l line) String() string {
	return fmt.Sprintf("%12v  %-3s  %s", l.at, name(l.node), l.text)
}

// cause of a context's end, without the names of one run.
func cause(ctx context.Context) string {
	if end, ok := errors.AsType[*singleton.EndError](context.Cause(ctx)); ok {
		return string(end.Reason)
	}
	return "canceled"
}
