package browser

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton/singletontest"
	"github.com/hotseat-go/hotseat/singleton/statuspage"
)

// service is three replicas, and a page that shows them side by side.
type service struct {
	*testing.T
	api, url string
	replicas map[string]*replica

	mu   sync.Mutex
	urls map[string]string
}

func startService(t *testing.T) *service {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	t.Cleanup(cluster.Close)
	api, err := cluster.Listen()
	require.NoError(t, err)
	s := &service{T: t, api: api, replicas: map[string]*replica{}, urls: map[string]string{}}
	for _, name := range names() {
		s.start(name)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := newServer(statuspage.SideBySide(s.peers))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() { // while the tab's stream is open
		require.NoError(t, server.Shutdown(t.Context()))
		<-done
	})
	s.url = "http://" + listener.Addr().String() + "/"
	return s
}

func names() []string { return []string{"invoicer-0", "invoicer-1", "invoicer-2"} }

func (s *service) start(name string) {
	r := startReplica(s.T, name, s.api)
	s.replicas[name] = r
	s.mu.Lock()
	defer s.mu.Unlock()
	s.urls[name] = r.url
}

func (s *service) peers() (urls []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names() {
		if url := s.urls[name]; url != "" {
			urls = append(urls, url)
		}
	}
	return urls
}

// ask returns the page's JSON.
func (s *service) ask() (o statuspage.Overview) {
	response, err := http.Get(s.url)
	require.NoError(s, err)
	defer response.Body.Close()
	require.NoError(s, json.NewDecoder(response.Body).Decode(&o))
	return o
}

// active waits until a replica is active that is not one of not, and returns its name and since
// when, by its JSON.
func (s *service) active(not ...string) (name string, since time.Time) {
	s.Helper()
	require.Eventually(s, func() bool {
		for _, seen := range s.ask().Replicas {
			name, _, _ = strings.Cut(seen.Status.Identity, "_")
			others := strings.Contains(fmt.Sprint(not), name)
			if seen.Error == "" && seen.Status.State == "active" && !others {
				since = seen.Status.Since
				return true
			}
		}
		return false
	}, time.Minute, 20*time.Millisecond, "nobody but %v becomes active", not)
	return name, since
}

// noteChanges has the page note when it showed which headline.
const noteChanges = `window.seen = []; new MutationObserver(() => window.seen.push(
	[document.querySelector('h1').innerText.trim(), Date.now()]
)).observe(document.querySelector('h1'), {childList: true, subtree: true}); true`

// shownAt waits until the page shows that name is active, and returns when it first did.
func (b *tab) shownAt(name string) time.Time {
	b.Helper()
	b.await(fmt.Sprintf(`document.querySelector('h1').innerText.includes(%q)`, name+" is active"))
	return time.UnixMilli(js[int64](b, fmt.Sprintf(
		`window.seen.findLast(([text]) => text.includes(%q))[1]`, name+" is active")))
}

// TestPage is a day in the life of a service, on the page.
func TestPage(t *testing.T) {
	s := startService(t)
	b := open(t, s.url)
	first, _ := s.active()
	b.await(fmt.Sprintf(`document.querySelector('h1').innerText.includes(%q)`, first+" is active"))
	require.True(t, js[bool](b, noteChanges))
	b.await(`document.querySelectorAll('#replicas > li').length === 3`)
	require.Empty(t, b.text("#connection"))
	require.Zero(t, js[float64](b, "document.querySelector('#connection').clientHeight"), "no empty alarm")
	require.Equal(t, "shop/invoicer", b.text(".lease b"))
	require.Contains(t, js[string](b, "document.title"), first+" is active")

	t.Run("validity runs down", func(t *testing.T) {
		// The page draws ten times a second, and a renewal comes twice a second.
		b.await(`(() => { const v = Number(document.querySelector('[role=meter]').getAttribute('aria-valuenow')); return v > 0 && v < 3 })()`)
		require.Equal(t, 1, js[int](b, `document.querySelectorAll('[role=meter]').length`))
		low := js[float64](b, `new Promise(done => { const all = []; const timer = setInterval(() => {
			all.push(Number(document.querySelector('[role=meter] .left').getAttribute('width')));
			if (all.length === 30) { clearInterval(timer); done(new Set(all).size); } }, 50); })`)
		require.Greater(t, low, 5.0, "the bar moves between renewals")
	})
	t.Run("keyboard", func(t *testing.T) {
		b.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
		require.Equal(t, "Lease as last read", js[string](b, "document.activeElement.innerText"))
		text := b.text("#lease")
		require.Contains(t, text, "invoicer/worker")
		b.await(fmt.Sprintf("document.querySelector('#lease').innerText !== %q", text)) // a renewal
		require.True(t, js[bool](b, "document.querySelector('details').open"), "it stays open")
		require.Equal(t, "Lease as last read", js[string](b, "document.activeElement.innerText"))
		b.do(chromedp.KeyEvent(kb.Enter))
		js[bool](b, "document.activeElement.blur(), true")
	})
	t.Run("screen reader", func(t *testing.T) {
		tree := b.spoken()
		require.Contains(t, tree, "heading: "+first+" is active")
		require.Contains(t, tree, "meter: validity of its term")
		require.Contains(t, tree, "columnheader: Ended")
		require.Contains(t, tree, "cell: "+first)
		require.Contains(t, tree, "heading: Last terms")
		b.do(chromedp.EmulateViewport(360, 900))
		// There rows are shown as cards, with a label in each cell.
		require.Eventually(t, func() bool {
			return slices.ContainsFunc(b.spoken(), func(s string) bool {
				return strings.HasPrefix(s, "cell: Holder") && strings.HasSuffix(s, first)
			})
		}, 10*time.Second, 100*time.Millisecond, "%v", b.spoken())
	})
	b.under("active", func(l look) { b.fits(l) })

	// How long after the JSON says so the page shows it: the best of three handovers, because other
	// programs use this machine, too.
	best := time.Hour
	var active string
	for range 3 {
		before, _ := s.active()
		require.NoError(t, s.replicas[before].Terminate())
		var since time.Time
		active, since = s.active(before)
		late := b.shownAt(active).Sub(since)
		t.Logf("handover from %s to %s: shown %v after it began", before, active, late.Round(time.Millisecond))
		best = min(best, late)
		<-s.replicas[before].Exited()
		s.start(before)
		b.await(`[...document.querySelectorAll('#replicas .badge')].filter(x => x.innerText === 'standby').length === 2`)
	}
	require.Less(t, best, time.Second)
	require.Contains(t, b.text("#terms tr:nth-child(2)"), "released by its holder")
	b.under("handover", func(l look) { b.fits(l) })

	crashed := active
	s.replicas[crashed].Kill()
	b.await(`document.querySelector('#replicas').innerText.includes('no answer')`)
	b.await(`!document.querySelector('h1').innerText.includes('is active')`)
	b.under("crash", func(l look) { b.fits(l) })
	active, _ = s.active(crashed)
	b.shownAt(active)
	require.Contains(t, b.text("#terms tr:nth-child(2)"), "not renewed in time")
	require.Contains(t, b.text("#terms tr:nth-child(2)"), crashed)
	s.start(crashed)

	frozen := active
	require.NoError(t, s.replicas[frozen].Freeze())
	b.await(`document.querySelector('#replicas').innerText.includes('No answer within 1 s')`)
	b.await(`Number(document.querySelector('[role=meter]').getAttribute('aria-valuenow')) < 1.5`)
	b.under("freeze", func(l look) { b.fits(l) })
	active, _ = s.active(frozen)
	b.shownAt(active)
	require.NoError(t, s.replicas[frozen].Thaw())
	b.await(`!document.querySelector('#replicas').innerText.includes('no answer')`)
	b.await(`!document.querySelector('#terms tr:nth-child(2)').innerText.includes('as others saw it')`)
	require.Contains(t, b.text("#terms tr:nth-child(2)"), frozen)
	require.Regexp(t, "not renewed in time|another replica took the Lease", b.text("#terms tr:nth-child(2)"))
	for _, seen := range js[[][]any](b, "window.seen") {
		require.NotContains(t, seen[0], "say that they are active")
	}
	b.under("thaw", func(l look) { b.fits(l) })
}

// TestPageOfOne is the page of a single replica, without the others.
func TestPageOfOne(t *testing.T) {
	s := startService(t)
	active, _ := s.active()
	standby := names()[0]
	if standby == active {
		standby = names()[1]
	}
	b := open(t, s.replicas[standby].url)
	b.await(fmt.Sprintf(`document.querySelector('h1').innerText.includes(%q)`, active+" holds the Lease"))
	b.under("standby", func(l look) { b.fits(l) })

	b = open(t, s.replicas[active].url)
	b.await(fmt.Sprintf(`document.querySelector('h1').innerText.includes(%q)`, active+" is active"))
	b.expect("net::ERR_CONNECTION_REFUSED") // the stream cannot be opened again
	require.NoError(t, s.replicas[active].Terminate())
	<-s.replicas[active].Exited()
	b.await(`document.querySelector('#connection').innerText.includes('This browser has had no connection')`)
	headline := b.text("h1")
	require.Regexp(t, `^\? Unknown since \d\d:\d\d:\d\d UTC. Before: “(`+active+` is active|Nobody is active)”$`, headline)
	require.Contains(t, js[string](b, "document.title"), "Unknown")
	require.NotContains(t, b.text("main"), " ago", "all times are those of the day")
	require.NotRegexp(t, `\bnow\b`, b.text("main"))
	require.Regexp(t, `was valid until \d\d:\d\d:\d\d UTC`, b.text("#replicas"))
	b.shoot("disconnected")
}

// fits requires that nothing is wider than the window, and that text is not on its own color.
func (b *tab) fits(l look) {
	b.Helper()
	require.LessOrEqual(b, js[int64](b, "document.documentElement.scrollWidth"), l.width, l.name)
	back := js[string](b, "getComputedStyle(document.body).backgroundColor")
	text := js[string](b, "getComputedStyle(document.body).color")
	require.Equal(b, l.scheme == "dark", brightness(b, back) < brightness(b, text), "%s on %s", text, back)
}

func brightness(b *tab, color string) (sum int) {
	var red, green, blue int
	_, err := fmt.Sscanf(color, "rgb(%d, %d, %d)", &red, &green, &blue)
	require.NoError(b, err, color)
	return red + green + blue
}
