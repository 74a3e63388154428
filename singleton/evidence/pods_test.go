package evidence

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/hotseat-go/hotseat/lease"
)

// now is a Pod whose container started that long ago.
func nowRunning(id string, ago time.Duration) string {
	return strings.ReplaceAll(podJSON(running(id, 0)), shown(0), time.Now().Add(-ago).UTC().Format(time.RFC3339))
}

func nowEnded(id string) string {
	return strings.ReplaceAll(podJSON(ended(id, 0)), shown(0), time.Now().UTC().Format(time.RFC3339))
}

func (l *lab) identify(p *Pods) *call { return l.call(p.Identify) }

// A process asks for its own Pod until that shows its container, and publishes it.
func TestIdentify(t *testing.T) {
	inLab(t, func(l *lab) {
		time.Sleep(500 * time.Millisecond)
		l.begin = time.Now()
		begin := time.Now()
		l.shows(nowRunning(idB, 8*time.Second)) // the container before
		c := l.identify(l.pods)
		sleep(firstLook - time.Millisecond)
		require.Empty(t, l.asked(), "the status may still be that of the container before")
		sleep(time.Millisecond)
		require.Equal(t, []string{"get /invoicer-0"}, l.asked())
		require.False(t, c.returned())
		l.shows(strings.ReplaceAll(nowRunning(idA, 0), time.Now().UTC().Format(time.RFC3339), begin.UTC().Format(time.RFC3339)))
		sleep(time.Second)
		require.True(t, c.returned())
		require.NoError(t, c.err)
		i, err := parse(c.text)
		require.NoError(t, err)
		require.Equal(t, idA, i.id)
		require.Equal(t, "uid-0", i.uid)
		require.Greater(t, i.alive.Unix(), begin.Unix(), "in a later second than the start")
		require.LessOrEqual(t, i.alive.Unix(), time.Now().Unix())

		l.asked()
		c = l.identify(l.pods)
		require.True(t, c.returned())
		require.Equal(t, i.String(), c.text)
		require.Empty(t, l.asked(), "it is known")
	})
}

// The status that a process read was that of the container before, which had started in the same
// second. That one's death is not the process's.
func TestIdentityOfTheContainerBeforeProvesNothing(t *testing.T) {
	inLab(t, func(l *lab) {
		time.Sleep(900 * time.Millisecond)
		l.begin = time.Now()
		before := time.Now().UTC().Format(time.RFC3339)
		l.shows(strings.ReplaceAll(podJSON(running(idB, 0)), shown(0), before))
		c := l.identify(l.pods)
		sleep(firstLook)
		require.True(t, c.returned())
		require.NoError(t, c.err)
		require.Contains(t, c.text, idB)
		l.shows(strings.ReplaceAll(podJSON(ended(idB, 0)), shown(0), before))
		dead, err := l.pods.Dead(context.Background(), c.text)
		require.NoError(t, err)
		require.False(t, dead)
	})
}

func TestIdentifyWithoutAMatch(t *testing.T) {
	inLab(t, func(l *lab) {
		l.shows(nowRunning(idB, time.Hour))
		c := l.identify(l.pods)
		sleep(firstLook + lookTime - 2*time.Second)
		require.False(t, c.returned())
		sleep(lookMost + 2*time.Second)
		require.True(t, c.returned())
		require.ErrorContains(t, c.err, "container invoicer is shown as started at")
		require.NotErrorIs(t, c.err, ErrUnfit)
		require.Less(t, len(l.asked()), 12)
	})
}

func TestIdentifyUnfit(t *testing.T) {
	inLab(t, func(l *lab) {
		l.shows(`{"spec": {"hostPID": true}}`)
		c := l.identify(l.pods)
		sleep(firstLook)
		require.True(t, c.returned())
		require.ErrorIs(t, c.err, ErrUnfit)
		l.asked()
		c = l.identify(l.pods)
		require.True(t, c.returned())
		require.ErrorIs(t, c.err, ErrUnfit)
		require.Empty(t, l.asked(), "that stays so")

		p := l.evidence()
		p.host = hostOf(nil)
		c = l.identify(p)
		require.True(t, c.returned())
		require.ErrorIs(t, c.err, ErrUnfit)
		require.ErrorContains(t, c.err, "cannot be read")
	})
}

// Errors are the caller's to tell. A caller that asks again and again has few requests made.
func TestIdentifyRefused(t *testing.T) {
	inLab(t, func(l *lab) {
		l.shows(nowRunning(idA, 0))
		l.refuses("get", 403)
		for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
			_, err := l.pods.Identify(context.Background())
			require.True(t, apierrors.IsForbidden(err), "%v", err)
			require.ErrorContains(t, err, "get pods shop/invoicer-0: as told: 403")
		}
		require.Less(t, len(l.asked()), 30)
		l.refuses("get", 0)
		text, err := l.pods.Identify(context.Background())
		require.NoError(t, err)
		require.Contains(t, text, idA)
	})
}

func TestIdentifyEndsWithItsContext(t *testing.T) {
	inLab(t, func(l *lab) {
		l.shows(nowRunning(idB, time.Hour))
		first, second := l.identify(l.pods), l.identify(l.pods)
		sleep(5 * time.Second)
		second.stop()
		require.True(t, second.returned())
		require.ErrorIs(t, second.err, context.Canceled)
		first.stop()
		require.True(t, first.returned())
		require.ErrorIs(t, first.err, context.Canceled)
		require.NotEmpty(t, l.asked(), "one of them asked")
	})
}

func TestDead(t *testing.T) {
	inLab(t, func(l *lab) {
		me := holder()
		me.alive = time.Now()
		dead := func() bool {
			dead, err := l.pods.Dead(context.Background(), me.String())
			require.NoError(t, err)
			require.Equal(t, []string{"get /invoicer-0"}, l.asked(), "without a resourceVersion: from the store")
			return dead
		}
		require.False(t, dead(), "the Pod does not exist")
		l.shows(nowRunning(idA, 0))
		require.False(t, dead())
		l.shows(nowEnded(idA))
		require.True(t, dead())
		l.shows(nowRunning(idB, 0))
		require.False(t, dead(), "another container")
		for _, code := range []int{403, 500, 503, 429, -1} {
			l.refuses("get", code)
			proven, err := l.pods.Dead(context.Background(), me.String())
			require.False(t, proven)
			require.ErrorContains(t, err, "get pods shop/invoicer-0")
			require.Len(t, l.asked(), 1, "retrying is the caller's")
		}
		l.refuses("get", 0)
		l.shows(`{"metadata": {"name": 5}}`)
		_, err := l.pods.Dead(context.Background(), me.String())
		require.ErrorContains(t, err, "answer")
		l.asked()
		proven, err := l.pods.Dead(context.Background(), "somebody's edit")
		require.False(t, proven)
		require.ErrorIs(t, err, ErrIdentity)
		require.ErrorIs(t, l.pods.Await(context.Background(), "somebody's edit"), ErrIdentity)
		require.Empty(t, l.asked())
	})
}

func TestNewPods(t *testing.T) {
	t.Setenv("POD_NAME", "")
	t.Setenv("POD_NAMESPACE", "")
	l := &lab{T: t}
	bound := hostOf(map[string]string{tokenFile: tokenOf(claims), "/proc/self/mountinfo": mountinfo})
	p, err := newPods(l, Config{}, bound)
	require.NoError(t, err)
	require.Equal(t, own{"invoicer-0", "uid-0", "invoicer"}, p.self)
	require.Equal(t, "shop", p.api.namespace)

	_, err = newPods(l, Config{}, hostOf(nil))
	require.ErrorIs(t, err, ErrNoPod)
	require.ErrorContains(t, err, "$POD_NAME")
	for field, c := range map[string]Config{
		"Pod":       {Pod: "invoicer-1"},
		"Namespace": {Namespace: "stock"},
		"Container": {Container: "proxy"},
	} {
		_, err = newPods(l, c, bound)
		var wrong *lease.FieldError
		require.ErrorAs(t, err, &wrong, field)
		require.Equal(t, field, wrong.Field)
	}
	for field, c := range map[string]Config{
		"Pod": {Namespace: "shop", Pod: "no/name"}, "Namespace": {Namespace: "a/b", Pod: "invoicer-0"},
	} {
		_, err = newPods(l, c, hostOf(nil))
		var wrong *lease.FieldError
		require.ErrorAs(t, err, &wrong, field)
		require.Equal(t, field, wrong.Field)
	}
	for _, none := range []Client{nil, (*lab)(nil)} {
		_, err = NewPods(none, Config{})
		require.ErrorContains(t, err, "must have a RESTClient that is not nil")
	}
	t.Setenv("POD_NAME", "invoicer-0")
	t.Setenv("POD_NAMESPACE", "shop")
	p, err = newPods(l, Config{}, hostOf(nil))
	require.NoError(t, err)
	require.Equal(t, own{pod: "invoicer-0"}, p.self)
	require.Equal(t, slog.Default(), p.logger)
	require.Empty(t, l.asked(), "it makes no request")
}
