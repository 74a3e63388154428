package singleton_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/singleton"
)

// A term tells whether its work started, how long renewals take, why work has to return, and by
// when: sooner if the term is lost meanwhile.
func TestTermStatus(t *testing.T) {
	inLab(t, func(l lab) {
		acquired, free := make(chan struct{}), make(chan struct{})
		a := l.elector("a", func(c *singleton.Config) {
			c.Replica.DrainLimit = time.Minute
			c.Hooks.OnAcquire = func(context.Context, *singleton.Term) { <-acquired }
		})
		l.run(a, func(context.Context, *singleton.Term) error { <-free; return nil })
		term := a.Status().Term
		require.Equal(l, singleton.TermStatus{}, term.Status())
		close(acquired)
		synctest.Wait()
		require.Equal(l, singleton.TermStatus{Working: true}, term.Status())

		l.Link("a").Inject(apiserver.Fault{
			Verbs: []string{"update", "patch"}, Count: 1, DelayAfter: 1500 * time.Millisecond,
		})
		sleep(5 * second)
		require.Less(l, term.Status().Renewal, 1500*time.Millisecond, "the last one was quick")
		l.Link("a").Inject(apiserver.Fault{
			Verbs: []string{"update", "patch"}, DelayAfter: 1500 * time.Millisecond,
		})
		sleep(5 * second)
		require.InDelta(l, 1.5, term.Status().Renewal.Seconds(), 0.01)

		term.Progress()
		reported := time.Now()
		sleep(second)
		require.True(l, term.Status().Progress.Equal(reported))

		began := time.Now()
		a.Resign()
		synctest.Wait()
		require.Equal(l, singleton.ReasonResigned, term.Status().Ending.Reason)
		require.WithinDuration(l, began.Add(time.Minute), term.Status().Limit, 0)

		l.Link("a").BlackHole()
		lost := term.Deadline()
		sleep(15 * second)
		require.Equal(l, singleton.ReasonResigned, term.Status().Ending.Reason, "the first cause stays")
		require.Less(l, term.Status().Limit.Sub(lost), 11*second, "the stop budget, not the drain limit")
		require.True(l, term.Status().Limit.Before(began.Add(time.Minute)))
		l.Link("a").Heal()
		close(free)
	})
}
