package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestJournalWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		acquired := func(e event) bool { return e.Kind == kindAcquired }
		j.add(event{Kind: kindAcquired, Replica: "past"})
		from := j.next()
		go func() {
			time.Sleep(time.Second)
			j.add(event{Kind: kindEnded})
			time.Sleep(time.Second)
			j.add(event{Kind: kindAcquired, Replica: "future"})
		}()
		e, err := j.wait(t.Context(), from, "it", acquired)
		require.NoError(t, err)
		require.Equal(t, "future", e.Replica)
		require.Equal(t, now(), e.At, "stamped when it was added")

		e, err = j.wait(t.Context(), 0, "it", acquired)
		require.NoError(t, err)
		require.Equal(t, "past", e.Replica)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = j.wait(ctx, j.next(), "a miracle", acquired)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "a miracle")
	})
}
