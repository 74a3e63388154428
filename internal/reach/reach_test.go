package reach

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func at(ms int) time.Time { return time.Unix(0, 0).Add(time.Duration(ms) * time.Millisecond) }

func got(sent, got int, name string, epoch int64) Answer {
	return Answer{Target: "x", Sent: at(sent), Got: at(got), Name: name, Epoch: epoch}
}

// The audit finds what it is for.
func TestAudit(t *testing.T) {
	nobody := got(0, 5, "", 0)
	require.NoError(t, Audit(nil))
	require.NoError(t, Audit([]Answer{nobody}))
	require.NoError(t, Audit([]Answer{got(0, 10, "a", 1), nobody, got(20, 30, "b", 2)}))
	require.NoError(t, Audit([]Answer{got(0, 40, "a", 1), got(20, 30, "b", 2)}), "the first was on its way")
	require.ErrorContains(t, Audit([]Answer{got(20, 30, "b", 2), got(31, 40, "a", 1)}), "a answers for epoch 1")
	require.ErrorContains(t, Audit([]Answer{got(0, 1, "a", 1), got(5, 6, "b", 1)}), "a and b answer")

	elsewhere := got(31, 40, "a", 1)
	elsewhere.Target = "y"
	require.ErrorContains(t, Audit([]Answer{got(20, 30, "b", 2), elsewhere}), "1ms after b did for 2")
}

func TestChanges(t *testing.T) {
	other := got(0, 70, "a", 1)
	other.Target = "y"
	all := []Answer{
		got(0, 10, "a", 1), got(20, 100, "b", 2), got(15, 30, "a", 1), got(40, 50, "", 0), other,
		got(110, 120, "b", 2), got(130, 150, "a", 3), got(160, 170, "b", 3),
	}
	changes := Changes(all)
	require.Len(t, changes, 3, "%+v", changes)
	require.Equal(t, 70*time.Millisecond, changes[0].Nobody(), "from the last of the old one")
	require.Equal(t, 30*time.Millisecond, changes[1].Nobody())
	require.Equal(t, "b", changes[2].New.Name, "the name counts too")
	require.Equal(t, 20*time.Millisecond, Pause(all, "x"), "within a term")
	require.Zero(t, Pause(all, "y"))
}

// The prober tells replicas' answers from others, and goes on while some are missing.
func TestProber(t *testing.T) {
	var epoch atomic.Int64
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch e := epoch.Load(); e {
		case 0:
			http.Error(w, "standby 7", http.StatusServiceUnavailable)
		case 1:
			<-hang // like a frozen one
			fallthrough
		default:
			fmt.Fprintf(w, "pod-%d %d\n", e, e)
		}
	}))
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")
	p := Start(Target{Name: "here", Addr: addr}, Target{Name: "nowhere", Addr: "127.0.0.1:1"})
	defer p.Stop()
	await := func(done func() bool) { t.Helper(); require.Eventually(t, done, time.Minute, Every) }
	await(func() bool { return len(p.Answers()) > 4 })
	require.Zero(t, p.Last("here"))

	epoch.Store(1)
	time.Sleep(5 * Every)
	epoch.Store(2)
	await(func() bool { return p.First("here", 0).Name == "pod-2" })
	require.Zero(t, p.First("here", 2))
	require.Zero(t, p.First("nowhere", 0))
	close(hang)
	await(func() bool { return p.Last("here").Sent.After(p.First("here", 1).Got) })
	p.Stop()
	p.Stop()
	all := p.Answers()
	require.NoError(t, Audit(all), "those that hung had been sent before")
	require.IsNonDecreasing(t, times(all))
	late := func(a Answer) bool { return a.Epoch == 1 }
	n, others := 0, map[string]string{}
	for _, a := range all {
		if late(a) {
			n++
		}
		if !a.ok() {
			others[a.Target] = a.Other
		}
	}
	require.Positive(t, n, "the late answers are there")
	require.Contains(t, others["here"], "503")
	require.Contains(t, others["nowhere"], "refused")
}

func times(all []Answer) (ns []int64) {
	for _, a := range all {
		ns = append(ns, a.Got.UnixNano())
	}
	return ns
}
