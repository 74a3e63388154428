package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/statuspage"
)

// proxied puts a Pod proxy before the API server, as the real one has it, for the status pages.
func (b *bed) proxied(pages map[string]http.Handler) {
	mux := http.NewServeMux()
	mux.Handle("/", b.server)
	for pod, page := range pages {
		mux.Handle("GET /api/v1/namespaces/shop/pods/"+pod+":8080/proxy/status", page)
	}
	server := httptest.NewServer(mux)
	b.t.Cleanup(server.CloseClientConnections)
	b.use(server.URL)
}

func TestHistoryThroughThePodProxy(t *testing.T) {
	b := newBed(t)
	first := b.active(0)
	second := b.start("b", 0)
	waitForCandidates(t, b, "b")
	b.pod("a", true)
	b.pod("b", true)
	b.pod("c", true) // it has no page
	b.proxied(map[string]http.Handler{
		"a": statuspage.Handler(first.elector), "b": statuspage.Handler(second.elector),
	})
	b.exits(exitFine, "handover", "invoicer", "--to", "b")
	var found past
	require.Eventually(t, func() bool { // until b tells that it is active
		require.NoError(t, json.Unmarshal([]byte(b.exits(exitFine, "history", "invoicer", "-o", "json")), &found))
		return len(found.Terms) == 2
	}, 30*time.Second, 50*time.Millisecond)
	require.Equal(t, 2, found.Replicas)
	now, old := found.Terms[0], found.Terms[1]
	require.Equal(t, "b", podOf(now.Holder))
	require.True(t, now.Own)
	require.True(t, now.End.IsZero())
	require.Equal(t, "a", podOf(old.Holder))
	require.True(t, old.Own, "the holder's own account wins over b's")
	require.Equal(t, singleton.ReasonResigned, singleton.Reason(old.Reason))
	require.True(t, contains(found.Notes, "no status page of c: "), found.Notes)

	only := []string{"status", "invoicer", "--url"}
	page := httptest.NewServer(statuspage.Handler(first.elector))
	t.Cleanup(page.Close)
	require.Contains(t, strings.Join(strings.Fields(b.exits(exitProblem, append(only, page.URL)...)), " "),
		"the holder is none of these replicas")
	text := b.exits(exitFine, "history", "invoicer")
	require.Regexp(t, `(?s)EPOCH +HOLDER.*\n\d+ +b .*\(goes on\) +holder\n\d+ +a .*resigned +holder\n`, text)

	report, _ := b.status(exitFine)
	require.Len(t, report.Replicas, 2)
	require.Equal(t, "standby", report.Replicas[0].State)
	require.Equal(t, "active", report.Replicas[1].State)
	require.Positive(t, report.Replicas[1].ValidFor)
	require.Contains(t, b.exits(exitFine, "status", "invoicer"), "REPLICA  STATE")
}

// Without the rights, history says which are missing, and shows what the Lease shows.
func TestHistoryWithoutRights(t *testing.T) {
	b := newBed(t)
	b.active(0)
	r := b.run("history", "invoicer")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.stdout, "this is only what the Lease itself shows")
	require.Regexp(t, `\n\d+ +a .*\(goes on\)`, r.stdout)
	require.Contains(t, r.stderr, "no replica's memory could be read")
	b.server.Forbid(anonymous, "get")
	require.Contains(t, strings.Join(strings.Fields(b.run("history", "invoicer").stdout), " "),
		`not allowed to get pods in namespace shop: grant {apiGroups: [""], resources: [pods], verbs: [get]}`)
}

// Whoever names a Lease wants to know of its replicas: if none can be asked, all may not be well.
func TestStatusWhenNoReplicaCanBeAsked(t *testing.T) {
	b := newBed(t)
	b.active(0)
	r := b.run("status", "invoicer")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.stdout, "No problem on the Lease. No replica was asked.")
	require.Contains(t, r.stdout, "note: the replicas are not shown: ")
	require.Contains(t, r.stderr, "no replica could be asked")
	require.Contains(t, b.exits(exitFine, "status", "invoicer", alone), "No replica was asked.")
}

// Without the Lease, its replicas still tell why, and who was active.
func TestMissingLease(t *testing.T) {
	b := newBed(t)
	a := b.active(0)
	page := httptest.NewServer(statuspage.Handler(a.elector))
	t.Cleanup(page.Close)
	b.server.Forbid("a", "create")
	b.server.DeleteLease("shop", "invoicer")
	require.Eventually(t, func() bool { return a.elector.Status().Missing }, 30*time.Second, 10*time.Millisecond)
	require.Contains(t, b.exits(exitError, "status", "invoicer"), "add --selector or --url")
	found, e := b.status(exitProblem, "--url", page.URL)
	require.Equal(t, stateMissing, e.State)
	require.True(t, contains(e.Problems, "there is no such Lease"))
	require.False(t, contains(e.Problems, "a found no Lease"), "it is told once")
	require.Len(t, found.Replicas, 1)
	text := b.exits(exitFine, "history", "invoicer", "--url", page.URL)
	require.Regexp(t, `\n\d+ +a .* +holder\n`, text)
	require.Contains(t, text, "there is no Lease invoicer")
	require.Contains(t, b.exits(exitError, "history", "invoicer"), "there is no Lease invoicer")
}

// With URLs no cluster is needed.
func TestHistoryByURL(t *testing.T) {
	b := newBed(t)
	a := b.active(0)
	page := httptest.NewServer(statuspage.Handler(a.elector))
	t.Cleanup(page.Close)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"identity":"x","namespace":"shop","name":"biller"}`))
	}))
	t.Cleanup(other.Close)
	none := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(none.Close)
	b.kubeconfig = "none"
	withPassword := strings.Replace(none.URL, "//", "//me:hunter2@", 1)
	text := b.exits(exitFine, "history", "--url", page.URL, "--url", other.URL, "--url", withPassword)
	require.Contains(t, text, "Lease invoicer, namespace shop: the terms that 1 of its replicas remember")
	require.Contains(t, text, other.URL+" is a replica of another Lease, shop/biller")
	require.Contains(t, text, "answers 404")
	require.NotContains(t, text, "hunter2")
	require.Contains(t, b.exits(exitError, "history", "--url", none.URL), "no status page could be read")
	require.Contains(t, b.exits(exitError, "history", "--url", "ftp://x"), `--url is "ftp://x", must be http://`)
	require.Contains(t, b.exits(exitError, "history"), "one Lease must be named")
}

// What replicas say of themselves, and the Lease does not.
func TestStatusJudgesReplicas(t *testing.T) {
	now := time.Now()
	of := func(state singleton.State, edit func(*statuspage.Status)) page {
		s := statuspage.Status{Replica: statuspage.Replica{
			At: now, Identity: "a_31d523f85aa30e15", Namespace: "shop", Name: "invoicer", State: state.String(),
			Since: now.Add(-time.Hour),
		}}
		edit(&s)
		return page{source: "a", status: s}
	}
	same := func(*statuspage.Status) {}
	for want, pages := range map[string][]page{
		"":                             {of(singleton.StateActive, same), of(singleton.StateStandby, same)},
		"2 replicas say that they":     {of(singleton.StateActive, same), of(singleton.StateActive, same)},
		"has been draining for 1h0m: ": {of(singleton.StateDraining, same)},
		"for 1h0m (resigned, limit in 4m": {of(singleton.StateDraining, func(s *statuspage.Status) {
			s.Work = &statuspage.Work{Ending: "resigned", Limit: now.Add(4 * time.Minute)}
		})},
		"it ignores its context":          {of(singleton.StateDraining, func(s *statuspage.Status) { s.Overrun = true })},
		"does not stand for election":     {of(singleton.StateStopped, same)},
		"could not take over: no update":  {of(singleton.StateStandby, func(s *statuspage.Status) { s.NotReady = "no update" })},
		"holds the Lease: mailer":         {of(singleton.StateStandby, func(s *statuspage.Status) { s.OtherProgram = "mailer" }), of(singleton.StateStandby, func(s *statuspage.Status) { s.OtherProgram = "mailer" })},
		"found no Lease":                  {of(singleton.StateStandby, func(s *statuspage.Status) { s.LeaseMissing = true })},
		"have different timings":          {of(singleton.StateActive, same), of(singleton.StateStandby, func(s *statuspage.Status) { s.Timings.LeaseDurationSeconds = 9 })},
		"guard 1 of a does not accept ep": {of(singleton.StateActive, func(s *statuspage.Status) { s.Guards = []statuspage.Guard{{Index: 1, Kind: "other"}} })},
		"do not hand over meanwhile":      {of(singleton.StateActive, func(s *statuspage.Status) { s.Guards = []statuspage.Guard{{Index: 1, Kind: "unavailable"}} })},
		"(stale): its mark is 99":         {of(singleton.StateActive, func(s *statuspage.Status) { s.Guards = []statuspage.Guard{{Kind: "stale", Epoch: "5", Mark: "99"}} })},
	} {
		e := entry{}
		e.judgePages(pages)
		if want == "" {
			require.Empty(t, e.Problems)
			continue
		}
		require.Len(t, e.Problems, 1, want)
		require.Contains(t, e.Problems[0], want)
	}
}

func TestReplicasHaveTheLabelsThatAllShare(t *testing.T) {
	b := newBed(t)
	b.pod("a", true, func(p *corev1.Pod) { p.Labels[lease.Domain+"role"] = "active" })
	b.pod("b", true)
	c := cluster{reach: &reach{timeout: time.Minute, kubeconfig: b.kubeconfig}, clock: time.Now}
	require.NoError(t, c.connect())
	pod, err := c.pod(t.Context(), "shop", "a")
	require.NoError(t, err)
	pods, err := c.replicas(t.Context(), pod)
	require.NoError(t, err)
	require.Len(t, pods, 2)
}

// The holder is among the replicas, or its Pod has restarted, or it is somebody else.
func TestStatusJudgesTheHolder(t *testing.T) {
	of := func(identity string) []page {
		return []page{{status: statuspage.Status{Replica: statuspage.Replica{Identity: identity}}}}
	}
	for identity, want := range map[string]string{
		"a_31d523f85aa30e15": "", "a_84ca62bd7dbd31a3": "the holder's process has ended, and a runs another one",
		"b_31d523f85aa30e15": "the holder is none of these replicas",
	} {
		e := entry{Holder: &holder{Identity: "a_31d523f85aa30e15", Pod: "a"}}
		e.judgeHolder(of(identity))
		require.Equal(t, want == "", len(e.Problems) == 0)
		require.Contains(t, strings.Join(e.Problems, ""), want)
	}
}

// Work that hangs looks like any other, unless it reports progress.
func TestStatusTellsOfProgress(t *testing.T) {
	now := time.Now()
	for want, work := range map[string]*statuspage.Work{
		"the work of a reports no progress: a hang would not show here": {Started: true},
		"the work of a last reported progress 34s ago":                  {Started: true, Progress: now.Add(-34 * time.Second)},
		"": {},
	} {
		s := statuspage.Status{Replica: statuspage.Replica{At: now, Identity: "a", State: singleton.StateActive.String()}}
		s.Work, s.Timings.RetryPeriodSeconds = work, 2
		e := entry{}
		e.judgeWork("a", s)
		require.Equal(t, want, strings.Join(e.Notes, ""))
		require.Empty(t, e.Warnings)
		work.RenewalSeconds = 3.1
		e.judgeWork("a", s)
		require.Equal(t, []string{"the last renewal of a took 3.1s: the API server is slow to it"}, e.Warnings)
	}
}

// A guard's refusal is past once it has accepted a later term of any replica.
func TestRefusalsOfEndedTerms(t *testing.T) {
	of := func(name string, g statuspage.Guard) page {
		s := statuspage.Status{Replica: statuspage.Replica{Identity: name}}
		s.Guards = []statuspage.Guard{g}
		return page{source: name, status: s}
	}
	refused := of("a", statuspage.Guard{Index: 1, Epoch: "9", Kind: "stale", Mark: "99"})
	for name, tt := range map[string]struct {
		answer statuspage.Guard
		past   bool
	}{
		"later":       {statuspage.Guard{Index: 1, Epoch: "10", Accepted: true}, true},
		"earlier":     {statuspage.Guard{Index: 1, Epoch: "8", Accepted: true}, false},
		"other guard": {statuspage.Guard{Index: 0, Epoch: "10", Accepted: true}, false},
		"no epoch":    {statuspage.Guard{Index: 1, Epoch: "x", Accepted: true}, false},
	} {
		e, pages := entry{}, []page{refused, of("b", tt.answer)}
		e.judgePages(pages)
		require.Equal(t, tt.past, len(e.Problems) == 0, name)
		require.Equal(t, tt.past, contains(e.Notes, "guard 1 answered stale to epoch 9 of a"), name)
		require.Equal(t, tt.past, inShort(refused, acceptances(pages)).Guards == "ok", name)
	}
}

func TestStatusJudgesHistory(t *testing.T) {
	now := time.Now()
	ended := func(reason singleton.Reason, ago time.Duration) statuspage.Term {
		return statuspage.Term{Reason: string(reason), Start: now.Add(-ago - 2*time.Minute), End: now.Add(-ago)}
	}
	e := entry{}
	history := []statuspage.Term{
		{Start: now.Add(-time.Minute)}, ended(singleton.ReasonStalled, time.Minute), ended(singleton.ReasonRefused, 2*time.Minute),
		ended(singleton.ReasonShutdown, 3*time.Minute), ended(singleton.ReasonStalled, 11*time.Minute),
	}
	e.judgeHistory(history, now)
	require.Empty(t, e.Problems)
	history = append(history, ended(singleton.ReasonStalled, 4*time.Minute))
	e.judgeHistory(history, now)
	require.Equal(t, []string{"3 terms ended within 10m0s: refused (1), stalled (2); 'kubectl hotseat history' lists them"}, e.Problems)
	history[0].Start = now.Add(-121 * time.Second) // longer than those that ended
	e = entry{}
	e.judgeHistory(history, now)
	require.Empty(t, e.Problems)
	require.True(t, contains(e.Warnings, "stalled (2); 'kubectl hotseat history' lists them; the current one has lasted for 2m1s"))
}
