package examples

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// logged is a log of several replicas.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// candidate is a replica that logs, and whose work takes a second to return.
func (l *logged) candidate(t *testing.T, c *singletontest.Cluster, name string) (stop func()) {
	elector, err := singleton.New(c.Client(name), singleton.Config{
		Namespace: "shop", Name: "invoicer", Replica: singleton.ReplicaConfig{Identity: name},
		Logger: slog.New(slog.NewTextHandler(l, nil)).With("replica", name),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- elector.Run(ctx, func(ctx context.Context, _ *singleton.Term) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			return nil
		})
	}()
	synctest.Wait()
	return sync.OnceFunc(func() { cancel(); require.NoError(t, <-done) })
}

// story plays what happens to replica a, with b beside it, and returns the log.
func story(t *testing.T, act func(c *singletontest.Cluster, stopA func())) (text string) {
	log := &logged{}
	synctest.Test(t, func(t *testing.T) {
		c := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
		defer c.Close()
		stopA := log.candidate(t, c, "a")
		stopB := log.candidate(t, c, "b")
		time.Sleep(21 * time.Second) // a second after a renewal
		act(c, stopA)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		text = log.String()
		stopA()
		stopB()
	})
	return text
}

// The guide shows the log of a handover and of a failover. Here they happen.
func TestLogsInTheDocsAreReal(t *testing.T) {
	page, err := os.ReadFile("../internal/docs/guide/logs.md")
	require.NoError(t, err)
	for heading, act := range map[string]func(c *singletontest.Cluster, stopA func()){
		"## A handover": func(_ *singletontest.Cluster, stopA func()) { stopA() },
		"## A failover": func(c *singletontest.Cluster, _ func()) {
			c.Link("a").Cut()
			time.Sleep(20 * time.Second)
			c.Link("a").Heal()
		},
	} {
		t.Run(heading, func(t *testing.T) {
			_, shown, ok := strings.Cut(string(page), heading+"\n")
			require.True(t, ok)
			_, shown, ok = strings.Cut(shown, "```\n")
			require.True(t, ok)
			shown, _, ok = strings.Cut(shown, "```\n")
			require.True(t, ok)
			got := story(t, act)
			require.Equal(t, essence(shown), essence(got), "the log was:\n%s", got)
		})
	}
}

// essence returns the lines of a log, unwrapped and sorted, without what differs from run to run.
func essence(log string) []string {
	log = regexp.MustCompile(`\n +`).ReplaceAllString(strings.TrimSpace(log), " ")
	for _, r := range [][2]string{
		{`(?m)^time=2000-01-01T00:(\d\d:\d\d)\S*`, "$1"},
		{` namespace=shop lease=invoicer`, ""},
		{`(msg="reached the Lease again" replica=[ab]).*`, "$1"}, // which request does so first is chance
		{`(error="[a-z ]+: API server unavailable).*?[^\\]"`, `$1"`},
		{`_[0-9a-f]{16}\b`, "_ID"},
		{`@\d+\.[0-9a-f]{32}\b`, "@EPOCH.TERM"},
		{`\b(epoch|failures|for|after)=\S+`, "$1=N"},
		{`\b(not renewed since) \S+"`, `$1 T"`},
	} {
		log = regexp.MustCompile(r[0]).ReplaceAllString(log, r[1])
	}
	lines := strings.Split(log, "\n")
	slices.Sort(lines)
	return slices.Compact(lines)
}
