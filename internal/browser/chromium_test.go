package browser

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/services"
)

// tab is a tab of a real, headless Chromium.
type tab struct {
	*testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // what the console shows as errors, and exceptions
	expected string   // a problem with that text is none
}

// open opens url, and requires at the end of the test that the console has shown no error.
func open(t *testing.T, url string) *tab {
	t.Helper()
	path, err := services.Program(t.Context(), "chromium", "chromium")
	if errors.Is(err, services.ErrMissing) && os.Getenv("CI") == "" {
		t.Skipf("SKIPPED: no test with a browser: %v", err)
	}
	require.NoError(t, err)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path))
	if os.Getuid() == 0 { // Chromium's sandbox does not work for root
		options = append(options, chromedp.NoSandbox)
	}
	allocated, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	b := &tab{T: t, ctx: ctx}
	b.do() // it opens the tab
	require.NoError(t, chromedp.Listen(ctx, func(e any) {
		switch e := e.(type) {
		case *runtime.EventExceptionThrown:
			b.problem((&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
		case *runtime.EventConsoleAPICalled:
			b.problem("console." + string(e.Type))
		case *cdplog.EventEntryAdded: // a violated Content-Security-Policy is here
			b.problem(e.Entry.Text + " " + e.Entry.URL)
		}
	}))
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		require.Empty(t, b.problems, "the console")
	})
	b.do(command(cdplog.Enable, cdp.Empty{}), chromedp.EmulateViewport(1280, 900), chromedp.Navigate(url))
	return b
}

func (b *tab) problem(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.expected == "" || !strings.Contains(text, b.expected) {
		b.problems = append(b.problems, text)
	}
}

// expect says that problems with that text are none from now on.
func (b *tab) expect(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = text
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	require.NoError(b, chromedp.Do(b.ctx, actions...))
}

// command is an action that sends a command of the browser's protocol.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// js evaluates an expression, and awaits its value if that is a promise.
func js[T any](b *tab, expression string) T {
	b.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(b, err, "%s", expression)
	return value
}

func (b *tab) text(selector string) string {
	b.Helper()
	return js[string](b, "document.querySelector('"+selector+"').innerText")
}

// await waits until an expression is true.
func (b *tab) await(expression string) {
	b.Helper()
	require.Eventually(b, func() bool { return js[bool](b, expression) }, time.Minute, 20*time.Millisecond,
		"%s", expression)
}

// spoken is what a screen reader gets: the role and the name of each node.
func (b *tab) spoken() (all []string) {
	b.Helper()
	require.NoError(b, chromedp.Do(b.ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		tree, err := cdp.Call(ctx, t, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			return err
		}
		for _, node := range tree.Nodes {
			if !node.Ignored && node.Role != nil && node.Name != nil {
				all = append(all, strings.Trim(string(node.Role.Value), `"`)+": "+strings.TrimSpace(strings.Trim(string(node.Name.Value), `"`)))
			}
		}
		return nil
	})))
	return all
}

// look is how the page is looked at.
type look struct {
	name, scheme string
	width        int64
}

func looks() []look {
	return []look{{"light", "light", 1280}, {"dark", "dark", 1280}, {"phone", "light", 360}, {"phone-dark", "dark", 360}}
}

// under has the page looked at in each way, and leaves it in the first.
func (b *tab) under(state string, f func(l look)) {
	b.Helper()
	for _, l := range append(looks()[1:], looks()[0]) {
		b.do(chromedp.EmulateViewport(l.width, 900),
			command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}},
			}))
		f(l)
		b.shoot(state + "-" + l.name)
	}
}

// shoot leaves a picture of the whole page in $BROWSER_SHOTS.
func (b *tab) shoot(name string) {
	b.Helper()
	folder := os.Getenv("BROWSER_SHOTS")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	require.NoError(b, err)
	require.NoError(b, os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600))
}
