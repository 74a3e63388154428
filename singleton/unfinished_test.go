package singleton_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton"
)

// The Lease of work that may still be running keeps others away until it expires, however the term
// ended. Run returns, whether or not it is for one term.
func TestUnfinishedWorkKeepsTheLease(t *testing.T) {
	for name, end := range map[string]func(l lab, e *singleton.Elector, r *running){
		"stopped":  func(_ lab, _ *singleton.Elector, r *running) { r.stop() },
		"resigned": func(_ lab, e *singleton.Elector, _ *running) { e.Resign() },
		// The Lease still names the term, which is why it is released otherwise.
		"fenced by hand": func(l lab, _ *singleton.Elector, _ *running) { l.edit(raised) },
	} {
		for _, one := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, one term %v", name, one), func(t *testing.T) {
				inLab(t, func(l lab) {
					e := l.elector("a", func(c *singleton.Config) { c.OneTerm = one })
					calls := 0
					r := l.run(e, func(ctx context.Context, _ *singleton.Term) error {
						calls++
						<-ctx.Done()
						return fmt.Errorf("handlers: %w", singleton.ErrUnfinished)
					})
					started := make(chan time.Time, 1)
					l.run(l.elector("b"), firstTerm(func(context.Context, *singleton.Term) {
						started <- time.Now()
					}))
					sleep(5 * second) // a renewal was sent a second ago
					ended := time.Now()
					end(l, e, r)
					require.ErrorIs(l, r.wait(l), singleton.ErrUnfinished)
					require.Equal(l, ended, time.Now(), "Run waits for nothing")
					require.Equal(l, 1, calls)
					require.Equal(l, e.Identity(), l.record().Holder())

					at := <-started
					require.GreaterOrEqual(l, at.Sub(ended), 14*second)
					require.Less(l, at.Sub(ended), 16*second)
				})
			})
		}
	}
}
