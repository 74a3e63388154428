package evidence

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func (l *lab) holder() string {
	i := holder()
	i.alive = time.Now()
	return i.String()
}

const watched = "watch metadata.name=invoicer-0"

func TestAwait(t *testing.T) {
	inLab(t, func(l *lab) {
		l.shows(nowRunning(idA, 0))
		c := l.await(l.pods, l.holder())
		sleep(4 * time.Minute) // and no more, or the watch is opened anew
		require.False(t, c.returned())
		for _, pod := range []string{"", nowRunning(idB, 0), nowEnded(idB), nowRunning(idA, 0)} {
			l.shows(pod)
			require.False(t, c.returned(), pod)
		}
		l.shows(nowEnded(idA))
		require.True(t, c.returned())
		require.NoError(t, c.err)
		require.Equal(t, []string{watched}, l.asked())
		require.Zero(t, l.open())

		c = l.await(l.pods, l.holder())
		require.True(t, c.returned(), "it is shown already")
		require.NoError(t, c.err)
	})
}

// That a Pod is deleted proves nothing, whatever its last status was: reading it live cannot
// confirm it.
func TestAwaitADeletedPod(t *testing.T) {
	inLab(t, func(l *lab) {
		l.shows(nowRunning(idA, 0))
		c := l.await(l.pods, l.holder())
		l.mu.Lock()
		l.pod = nowEnded(idA)
		l.mu.Unlock()
		l.shows("")
		require.False(t, c.returned())
	})
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	inLab(t, func(l *lab) {
		c := l.await(l.pods, l.holder())
		sleep(time.Second)
		require.Equal(t, 1, l.open())
		c.stop()
		require.True(t, c.returned())
		require.ErrorIs(t, c.err, context.Canceled)
		require.Zero(t, l.open())
		require.Empty(t, l.pods.lookouts)
	})
}

// A watch that ends or fails is opened again, and not too often.
func TestAwaitOpensItsWatchAgain(t *testing.T) {
	inLab(t, func(l *lab) {
		l.shows(nowRunning(idA, 0))
		c := l.await(l.pods, l.holder())
		sleep(10 * time.Minute)
		l.asked()
		l.ends()
		sleep(time.Second)
		require.Equal(t, []string{watched}, l.asked())
		l.tell(event("ERROR", `{"kind": "Status", "apiVersion": "v1", "code": 410, "reason": "Expired"}`))
		sleep(time.Second)
		require.NotEmpty(t, l.asked())
		require.Equal(t, 1, l.open())
		for _, text := range []string{`{"type": 5}`, event("ADDED", `{"metadata": 5}`), event("ERROR", `5`), "no JSON"} {
			l.tell(text)
			sleep(watchMost)
			require.Equal(t, 1, l.open(), text)
		}
		l.tell(event("BOOKMARK", `{}`))
		synctest.Wait()
		require.Equal(t, 1, l.open())
		for _, code := range []int{500, 429, 401, -1} {
			l.refuses("watch", code)
			l.ends()
			l.asked()
			sleep(10 * time.Minute)
			require.Less(t, len(l.asked()), 300, code)
			l.refuses("watch", 0)
			sleep(watchMost)
			require.Equal(t, 1, l.open())
		}
		l.shows(nowEnded(idA))
		require.True(t, c.returned())
		require.NoError(t, c.err)
	})
}

// Electors of one process that wait for the same holder have one watch.
func TestAwaitIsShared(t *testing.T) {
	inLab(t, func(l *lab) {
		l.shows(nowRunning(idA, 0))
		me, other := l.holder(), strings.Replace(l.holder(), "invoicer-0", "invoicer-1", 1)
		first, second, third := l.await(l.pods, me), l.await(l.pods, me), l.await(l.pods, other)
		sleep(time.Second)
		require.ElementsMatch(t, []string{watched, "watch metadata.name=invoicer-1"}, l.asked())
		first.stop()
		require.True(t, first.returned())
		require.Equal(t, 2, l.open())
		fourth := l.await(l.pods, me)
		require.Empty(t, l.asked())
		l.shows(nowEnded(idA))
		require.True(t, second.returned())
		require.NoError(t, second.err)
		require.True(t, fourth.returned())
		require.NoError(t, fourth.err)
		require.False(t, third.returned())
		third.stop()
		require.True(t, third.returned())
		require.Zero(t, l.open())
		require.Empty(t, l.pods.lookouts)
	})
}

// Without the right to watch, it looks now and then. That is told once.
func TestAwaitWithoutTheRightToWatch(t *testing.T) {
	inLab(t, func(l *lab) {
		l.shows(nowRunning(idA, 0))
		l.refuses("watch", 403)
		c := l.await(l.pods, l.holder())
		sleep(10 * time.Minute)
		require.False(t, c.returned())
		require.InDelta(t, 10*time.Minute/pollEvery, len(l.asked()), 30)
		require.Equal(t, 1, strings.Count(l.logs.String(), "not allowed to watch Pods"))
		l.refuses("get", 500)
		sleep(time.Minute)
		require.False(t, c.returned())
		l.refuses("get", 0)
		sleep(watchMost)
		l.shows(nowEnded(idA))
		sleep(pollEvery)
		require.True(t, c.returned())
		require.NoError(t, c.err)

		l.shows(nowRunning(idA, 0))
		c = l.await(l.pods, l.holder())
		sleep(time.Second)
		l.refuses("watch", 0)
		sleep(pollTime + pollEvery + watchMost)
		require.Equal(t, 1, l.open(), "it watches again once it may")
		c.stop()
		require.True(t, c.returned())
	})
}

// Without any right, Await says so.
func TestAwaitWithoutRights(t *testing.T) {
	inLab(t, func(l *lab) {
		l.refuses("watch", 403)
		l.refuses("get", 403)
		me := l.holder()
		first, second := l.await(l.pods, me), l.await(l.pods, me)
		for _, c := range []*call{first, second} {
			require.True(t, c.returned())
			require.True(t, apierrors.IsForbidden(c.err), "%v", c.err)
		}
		require.Empty(t, l.pods.lookouts)
		l.refuses("watch", 0)
		c := l.await(l.pods, me)
		sleep(time.Second)
		require.Equal(t, 1, l.open(), "a later call tries again")
		c.stop()
		require.True(t, c.returned())
	})
}
