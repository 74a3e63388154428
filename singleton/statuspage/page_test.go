package statuspage

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// get asks h as a browser does.
func get(h http.Handler, accept string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/status", nil)
	r.Header.Set("Accept", accept)
	h.ServeHTTP(w, r)
	return w
}

func TestWanted(t *testing.T) {
	for accept, want := range map[string]string{
		"": typeJSON, "*/*": typeJSON, "application/json": typeJSON, "text/plain": typeJSON,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": typeHTML,
		"text/event-stream": typeEvents, "text/html;q=0": typeJSON, "text/html;q=x": typeJSON,
		"text/html;q=0.5, application/json": typeJSON, "application/json;q=0.1, TEXT/HTML;q=0.2": typeHTML,
		";;;,": typeJSON,
	} {
		require.Equal(t, want, wanted(accept), accept)
	}
}

// The policy allows the page's own style and script by their hashes, and nothing else.
func TestPagePolicy(t *testing.T) {
	inLab(t, func(l lab) {
		a, _ := l.start("a")
		w := get(Handler(a), "text/html")
		require.Equal(l, http.StatusOK, w.Code)
		require.Equal(l, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
		require.Equal(l, "Accept", w.Header().Get("Vary"))
		require.Equal(l, "no-store", w.Header().Get("Cache-Control"))
		policy := w.Header().Get("Content-Security-Policy")
		require.Contains(l, policy, "default-src 'none'")
		require.NotContains(l, policy, "unsafe")
		body := w.Body.String()
		for _, element := range []string{"style", "script"} {
			all := regexp.MustCompile("(?s)<"+element+">(.*?)</"+element+">").FindAllStringSubmatch(body, -1)
			require.Len(l, all, 1)
			sum := sha256.Sum256([]byte(all[0][1]))
			require.Contains(l, policy, element+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
		}
		rest := regexp.MustCompile("(?s)<(style|script)>.*?</(style|script)>").ReplaceAllString(body, "")
		require.NotRegexp(l, `(?i)<[^>]*\s(style|on\w+)=|src=|<link[^>]*href="[^d]`, rest, "nothing inline, nothing from outside")
		require.Contains(l, body, "a is active")
		require.Contains(l, body, a.Identity()[1:])
	})
}

// Texts from outside are text on the page.
func TestPageEscapes(t *testing.T) {
	evil := `"><script>alert(1)</script><b onclick='x'>`
	status := Status{Replica: Replica{
		At: at(0), Identity: evil, Namespace: evil, Name: evil, State: evil, Holder: Holder{Identity: evil, Epoch: evil, Since: at(0)},
		Health: Health{NotReady: evil, ValidForSeconds: 1, Guards: []Guard{{Kind: evil, Mark: evil, Epoch: evil}}},
	}, Lease: Lease{UID: evil, Holder: evil, ResourceVersion: evil, Marks: Marks{Epoch: evil, Program: evil, Successor: evil, Term: evil}},
		History: []Term{{Holder: evil, Epoch: evil, Reason: evil, Start: at(0), End: at(1)}}}
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(status)
	}))
	defer peer.Close()
	body := get(SideBySide(func() []string { return []string{peer.URL, evil} }), "text/html").Body.String()
	require.Equal(t, 1, strings.Count(body, "<script"))
	require.NotContains(t, body, "<b onclick")
	require.Contains(t, body, "&lt;script&gt;alert(1)")
}

// A gap is as exact as what is known of the end before it.
func TestRows(t *testing.T) {
	terms := []Term{
		{Epoch: "5", Holder: "a_1", Start: at(60)},
		{Epoch: "4", Holder: "b_1", Start: at(45), End: at(60), Reason: "expired", Renewed: at(50)},
		{Epoch: "3", Holder: "a_1", Start: at(30), End: at(40), Reason: "expired", Own: true},
		{Epoch: "2", Holder: "b_1", Start: at(10), End: at(30), Reason: "released", Renewed: at(29)},
		{Epoch: "1", Holder: "a_1", Start: at(0), End: at(10), Reason: "unseen", Renewed: at(4), Joined: true},
	}
	var got [][]string
	for _, r := range rows(terms) {
		got = append(got, []string{r.Epoch, r.Lasted, r.Vacancy})
	}
	require.Equal(t, [][]string{
		{"5", "", "≤ 10 s"}, {"4", "≥ 5.00 s", "5.00 s"}, {"3", "10 s", "0.00 s"}, {"2", "20 s", "≤ 6.00 s"}, {"1", "≥ 4.00 s", ""},
	}, got)
	all, begin := lanes(terms, nil, at(100))
	require.Equal(t, at(0), begin)
	require.Len(t, all, 2)
	require.Equal(t, []string{"a", "b"}, []string{all[0].Name, all[1].Name})
	require.Len(t, all[0].Bars, 3)
	require.InDelta(t, 600, all[0].Bars[2].X, 0.1)
	require.InDelta(t, 400, all[0].Bars[2].Width, 0.1)
	require.Equal(t, []string{"over", "over", "lasts"}, []string{all[0].Bars[0].Kind, all[0].Bars[1].Kind, all[0].Bars[2].Kind})
	all, _ = lanes(terms, []Seen{{Error: "it cannot be reached", Status: Status{Replica: Replica{Identity: "a_1"}}}}, at(100))
	require.Equal(t, "silent", all[0].Bars[2].Kind)
	all, _ = lanes([]Term{{Holder: "a_1", Start: at(0)}}, nil, at(0).Add(time.Second/2))
	require.Equal(t, bar{Width: laneWidth, Kind: "lasts", Title: "epoch , since 12:00:00 UTC"}, all[0].Bars[0], "a new term reaches now")
	for _, d := range []struct {
		d    time.Duration
		want string
	}{
		{-time.Second, "0.00 s"}, {1500 * time.Millisecond, "1.50 s"}, {90 * time.Second, "90 s"},
		{3*time.Minute + 5*time.Second, "3 min 05 s"}, {25 * time.Hour, "25 h 00 min"}, {49 * time.Hour, "2 d 1 h"},
	} {
		require.Equal(t, d.want, short(d.d))
	}
}

// What is drawn differs enough from its ground, in light and in dark.
func TestContrast(t *testing.T) {
	light, dark, _ := strings.Cut(pageCSS, "@media")
	for name, css := range map[string]string{"light": light, "dark": dark} {
		luminance := func(variable string) (sum float64) {
			found := regexp.MustCompile(`--` + variable + `: #(\w{6});`).FindStringSubmatch(css)
			require.Len(t, found, 2, variable)
			rgb, err := hex.DecodeString(found[1])
			require.NoError(t, err)
			for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
				sum += weight * math.Pow(float64(rgb[i])/255, 2.2)
			}
			return sum + 0.05
		}
		for _, drawn := range []string{"fill", "over", "bad"} {
			a, b := luminance(drawn), luminance("track")
			require.Greater(t, max(a, b)/min(a, b), 3.0, "%s in the %s scheme", drawn, name)
		}
	}
}

// Each reason of an elector has words, in the file and on the page.
func TestReasonsHaveWords(t *testing.T) {
	reasons := 0
	for _, file := range []string{"../cause.go", "../history.go"} {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range regexp.MustCompile(`Reason\w+ +Reason = "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
			reasons++
			words := because(Term{Reason: match[1], End: at(1)})
			if match[1] != "resigned" {
				require.NotEqual(t, match[1], words)
			}
		}
	}
	require.GreaterOrEqual(t, reasons, 15)
	require.Equal(t, "of a later version", because(Term{Reason: "of a later version", End: at(1)}))
}

// What a card says besides the state.
func TestNotes(t *testing.T) {
	fine := func(change ...func(*Status)) Seen {
		s := Status{
			Replica: Replica{At: at(60), Identity: "b_1", State: "standby", Holder: Holder{Identity: "a_1", Epoch: "9"}},
			Timings: Timings{LeaseDurationSeconds: 15, RenewDeadlineSeconds: 10, RetryPeriodSeconds: 2},
			Lease:   Lease{UID: "u", RenewTime: at(59)}, Versions: Versions{"v1", "p", "go1"},
		}
		for _, f := range change {
			f(&s)
		}
		return Seen{Status: s}
	}
	working := func(w Work) Seen {
		return fine(func(s *Status) { s.State, s.Work = "active", &w })
	}
	active := func(s *Status) {
		s.State, s.ValidForSeconds, s.Holder.Self = "active", 9, true
		s.Guards = []Guard{{Accepted: true, Epoch: "9", At: at(50)}, {Index: 1, Kind: "stale", Mark: "12", Epoch: "9", At: at(50)}, {Index: 2, Kind: "unavailable", Epoch: "9", At: at(50)}}
	}
	silent := fine(active)
	silent.Error = "no answer within 1 s"
	for name, c := range map[string]struct {
		seen []Seen
		want []note
	}{
		"fine": {[]Seen{fine(), fine()}, []note{{ok, "Ready."}}},
		"not ready": {
			[]Seen{fine(func(s *Status) { s.NotReady = "singleton: the Lease does not exist" })},
			[]note{{bad, "Not ready: the Lease does not exist."}},
		},
		"guards": {[]Seen{fine(active)}, []note{
			{ok, "Guard 0 accepts writes of epoch 9, and refuses earlier ones. This was asked at 12:00:50 UTC, and does not show that work wrote."},
			{bad, "Guard 1 refused epoch 9 at 12:00:50: it has seen epoch 12."},
			{bad, "Guard 2 did not accept epoch 9 at 12:00:50: unavailable. The log has the error."},
		}},
		"silent": {[]Seen{silent}, []note{
			{bad, "No answer within 1 s."},
			{bad, "Guard 1 refused epoch 9 at 12:00:50: it has seen epoch 12."},
			{bad, "Guard 2 did not accept epoch 9 at 12:00:50: unavailable. The log has the error."},
		}},
		"two applications": {[]Seen{fine(func(s *Status) { s.OtherProgram = "mailer" })}, []note{
			{ok, "Ready."}, {bad, "Another program holds the Lease: mailer. Two applications must not share one."},
		}},
		"a slow clock": {[]Seen{fine(func(s *Status) { s.Lease.RenewTime = at(60 - 3600) })}, []note{
			{ok, "Ready."},
			{warn, "By the holder's clock, the last renewal was 60 min 00 s ago. If it still renews, its clock or this replica's is wrong."},
		}},
		"a fast clock": {[]Seen{fine(func(s *Status) { s.Lease.RenewTime = at(90) })}, []note{
			{ok, "Ready."},
			{warn, "The last renewal is 30 s ahead of this replica's clock. One of the two clocks is wrong."},
		}},
		"not updated": {[]Seen{fine(), fine(func(s *Status) { s.Version = "v2"; s.Timings.RetryPeriodSeconds = 3 })}, []note{
			{ok, "Ready."},
			{warn, "Not all replicas have its timings: lease duration 15 s, renew deadline 10 s, retry period 2 s."},
			{"", "Not all replicas run the same: p, hotseat v1, go1."},
		}},
		"stuck": {[]Seen{fine(func(s *Status) { s.State, s.Overrun = "draining", true })}, []note{
			{bad, "Work has not returned in time after its term ended."},
		}},
		"draining": {[]Seen{working(Work{Started: true, Ending: "resigned", Limit: at(300)})}, []note{
			{warn, "Work has to return: resigned. It has until 12:05:00 UTC."},
		}},
		"lost, and not draining yet": {[]Seen{working(Work{Started: true, Ending: "expired"})}, []note{
			{warn, "Work has to return: not renewed in time."},
		}},
		"waits for a guard": {[]Seen{working(Work{})}, []note{
			{warn, "Work has not started: it waits for the guards and OnAcquire."},
		}},
		"reports nothing": {[]Seen{working(Work{Started: true, RenewalSeconds: 2})}, []note{
			{quiet, "Progress of work is not monitored."},
		}},
		"progress, and a slow server": {[]Seen{working(Work{Started: true, Progress: at(26), RenewalSeconds: 3.12})}, []note{
			{"", "Work reported progress 34 s ago."},
			{warn, "The last renewal took 3.1 s: the API server is slow."},
		}},
		"polls": {[]Seen{fine(func(s *Status) { s.Polls = true })}, []note{
			{ok, "Ready."}, {warn, "May not watch the Lease, and polls it: a handover to it takes longer."},
		}},
		"missing": {[]Seen{fine(func(s *Status) { s.LeaseMissing = true })}, []note{
			{bad, "Cannot take over while the Lease is missing."},
		}},
		"refused an earlier term": {
			[]Seen{fine(func(s *Status) { s.Guards = []Guard{{Epoch: "8", Kind: "stale", Mark: "12", At: at(50)}} })},
			[]note{{ok, "Ready."}, {"", "Earlier, at 12:00:50, guard 0 did not accept epoch 8."}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, newView(c.seen, at(60)).Replicas[0].Notes)
		})
	}
}
