package singleton_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// Each test here is an exception to "tokens only grow" that internal/docs/guide/guarantees.md lists.

// token of one term, of a process that ends after it.
func (l lab) token(name string, change ...func(*singleton.Config)) (token fencing.Token) {
	var ended bool
	r := l.run(l.elector(name, change...), func(_ context.Context, term *singleton.Term) error {
		token, ended = term.Token(), true
		return nil
	})
	require.NoError(l, r.wait(l))
	require.True(l, ended)
	return token
}

// floor is Config.Fencing.Floor of a guard that has seen a token.
func floor(mark int64) func(*singleton.Config) {
	return func(c *singleton.Config) {
		c.Fencing.Floor = func(context.Context) (int64, error) { return mark, nil }
	}
}

// An epoch was raised by hand, and the annotation is gone. No process that saw it is left.
func TestExceptionRaisedEpochIsForgotten(t *testing.T) {
	inLab(t, func(l lab) {
		l.token("a")
		l.edit(func(x *coordv1.Lease) { x.Annotations[lease.AnnotationEpoch] = "5000" })
		raised := l.token("b")
		require.Greater(l, raised.Epoch, int64(5000))
		l.edit(func(x *coordv1.Lease) { delete(x.Annotations, lease.AnnotationEpoch) })
		require.Less(l, l.token("c").Epoch, raised.Epoch, "the exception is none any more: take it from the list in internal/docs/guide/guarantees.md")
		l.edit(func(x *coordv1.Lease) { delete(x.Annotations, lease.AnnotationEpoch) })
		require.Greater(l, l.token("d", floor(raised.Epoch)).Epoch, raised.Epoch, "Floor keeps the order")
	})
}

// The store went back to before a term, its revision too. No process that saw the term is left.
func TestExceptionRestoredEpochComesAgain(t *testing.T) {
	inLab(t, func(l lab) {
		backup := l.Snapshot()
		first := l.token("a")
		l.Restore(backup, false)
		again := l.token("b")
		require.LessOrEqual(l, again.Epoch, first.Epoch, "the exception is none any more: take it from the list in internal/docs/guide/guarantees.md")
		require.NotEqual(l, first.Term, again.Term, "a guard tells the two apart")
		l.Restore(backup, false)
		require.Greater(l, l.token("c", floor(first.Epoch)).Epoch, first.Epoch, "Floor keeps the order")
		l.Restore(backup, true)
		require.Greater(l, l.token("d").Epoch, first.Epoch, "so does a bumped revision")
	})
}
