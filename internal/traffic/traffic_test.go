//go:build unix

package traffic

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/proc"
	"github.com/hotseat-go/hotseat/internal/reach"
	"github.com/hotseat-go/hotseat/internal/services"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

const (
	replicas = 3
	// interval is that of HAProxy's checks, and how long nginx leaves a server alone that failed.
	interval = time.Second
	// enough is far above what anything here takes.
	enough = time.Minute
)

// stage is an API server with replicas, and a proxy before them.
type stage struct {
	*testing.T
	api      string
	addrs    []string // of the replicas
	replicas map[string]*proc.Process
	proxy    string
	prober   *reach.Prober
}

func newStage(t *testing.T, proxy func(t *testing.T, vars map[string]string) *services.Server) *stage {
	cluster := singletontest.New(singletontest.Options{Namespace: namespace, Lease: leaseName})
	t.Cleanup(cluster.Close)
	api, err := cluster.Listen()
	require.NoError(t, err)
	ports, err := proc.FreePorts(replicas)
	require.NoError(t, err)
	s := &stage{T: t, api: api, replicas: map[string]*proc.Process{}}
	vars := map[string]string{}
	for i, port := range ports {
		s.addrs = append(s.addrs, "127.0.0.1:"+port)
		vars[fmt.Sprintf("POD_%d", i)] = s.addrs[i]
		s.start(i)
	}
	s.proxy = proxy(t, vars).Addr()
	targets := []reach.Target{{Name: s.proxy, Addr: s.proxy}}
	for _, addr := range s.addrs {
		targets = append(targets, reach.Target{Name: addr, Addr: addr})
	}
	s.prober = reach.Start(targets...)
	t.Cleanup(s.prober.Stop)
	s.await("the first active", func() bool { return s.prober.First(s.proxy, 0).Name != "" })
	return s
}

func name(i int) string { return fmt.Sprintf("pod-%d", i) }

func (s *stage) start(i int) {
	log := filepath.Join(s.TempDir(), "log")
	p, err := proc.Start(proc.Self("replica"), proc.Options{Tell: told{name(i), s.api, s.addrs[i]}, Log: log})
	require.NoError(s, err)
	s.replicas[name(i)] = p
	s.Cleanup(func() {
		p.Kill()
		if s.Failed() {
			s.Logf("%s said last:\n%s", name(i), p.Tail())
		}
	})
}

func (s *stage) await(what string, done func() bool) {
	s.Helper()
	for began := time.Now(); !done(); time.Sleep(reach.Every) {
		require.Less(s, time.Since(began), enough, what)
	}
}

// open opens a stream through the proxy. The channel gets when it ended, and how: nil is the regular
// end of the body.
func (s *stage) open() <-chan error {
	var answer *http.Response
	s.await("a stream", func() bool {
		var err error
		answer, err = http.Get("http://" + s.proxy + "/stream")
		if err == nil && answer.StatusCode != http.StatusOK {
			_ = answer.Body.Close()
		}
		return err == nil && answer.StatusCode == http.StatusOK
	})
	ended := make(chan error, 1)
	go func() {
		defer answer.Body.Close()
		_, err := io.Copy(io.Discard, answer.Body)
		ended <- err
	}()
	return ended
}

// outcome of one event, from the moment it was made to happen.
type outcome struct {
	nobody time.Duration // from the old active's last answer through the proxy to the new one's first
	lag    time.Duration // from the new one's first answer to anybody to its first through the proxy
	closed time.Duration // until the old active's stream was closed
}

// plays an event on the active, and waits until the next one is reached.
func (s *stage) play(event func(active *proc.Process)) (o outcome, old reach.Answer) {
	s.Helper()
	s.await("a quiet start", func() bool {
		return time.Since(s.prober.Last(s.proxy).Got) < 5*reach.Every
	})
	time.Sleep(2 * interval) // so that the proxy knows who is who
	stream := s.open()
	old = s.prober.Last(s.proxy)
	began := time.Now()
	event(s.replicas[old.Name])
	closed := make(chan time.Duration, 1)
	go func() {
		err := <-stream
		if err == nil {
			closed <- -1 // it looks complete
			return
		}
		closed <- time.Since(began)
	}()
	s.await("the next active", func() bool { return s.prober.First(s.proxy, old.Epoch).Name != "" })
	select {
	case o.closed = <-closed:
	case <-time.After(enough):
		require.Fail(s, "the old stream is still open")
	}
	require.NotEqual(s, time.Duration(-1), o.closed, "a stream that was cut looks complete")
	next := s.prober.First(s.proxy, old.Epoch)
	for _, c := range reach.Changes(s.prober.Answers()) {
		if c.New == next {
			o.nobody = c.Nobody()
		}
	}
	for _, addr := range s.addrs {
		if first := s.prober.First(addr, old.Epoch); first.Name != "" {
			o.lag = max(0, next.Got.Sub(first.Got))
		}
	}
	require.NotEqual(s, old.Name, next.Name)
	return o, old
}

// tell prints a row of the guide's table.
func (s *stage) tell(proxy, event string, o outcome) {
	s.Logf("| %s | %s | %v | %.2g x | %v |", proxy, event, o.nobody.Round(time.Millisecond),
		o.lag.Seconds()/interval.Seconds(), o.closed.Round(time.Millisecond))
}

// Requests reach the active or nobody, and never two; what was open to the old active is closed.
func TestTraffic(t *testing.T) {
	read := func(t *testing.T, path string) string {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(text)
	}
	for proxy, run := range map[string]func(t *testing.T, vars map[string]string) *services.Server{
		"HAProxy": func(t *testing.T, vars map[string]string) *services.Server {
			return services.HAProxy(t, read(t, "testdata/haproxy.cfg"), vars)
		},
		"nginx": func(t *testing.T, vars map[string]string) *services.Server {
			return services.Nginx(t, read(t, "testdata/nginx.conf"), vars)
		},
	} {
		t.Run(proxy, func(t *testing.T) {
			s := newStage(t, run)
			rounds := 5
			if testing.Short() {
				rounds = 1
			}
			for range rounds {
				o, _ := s.play(func(active *proc.Process) { require.NoError(t, active.Signal(syscall.SIGUSR1)) })
				s.tell(proxy, "handover", o)
				require.Less(t, o.lag, 3*interval)
				require.Less(t, o.closed, 3*interval)

				o, old := s.play(func(active *proc.Process) { active.Kill() })
				s.tell(proxy, "crash", o)
				require.Less(t, o.lag, 3*interval)
				require.Less(t, o.closed, 3*interval)
				for i := range replicas {
					if name(i) == old.Name {
						s.start(i)
					}
				}

				o, old = s.play(func(active *proc.Process) { require.NoError(t, active.Freeze()) })
				s.tell(proxy, "freeze", o)
				require.Less(t, o.lag, 5*interval)
				require.Less(t, o.closed, 5*interval)
				require.NoError(t, s.replicas[old.Name].Thaw())
				time.Sleep(interval)
			}
			s.prober.Stop()
			answers := s.prober.Answers()
			require.NoError(t, reach.Audit(answers))
			s.Logf("%d requests", len(answers))
		})
	}
}
