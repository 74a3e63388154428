//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/singleton/statuspage"
)

// These run the program as its user does, with real processes and real time;
// mostly they wait, so they wait at the same time.

// wholeStories are the ones that wait for several acts. The quick loop leaves them to make test.
var wholeStories = []string{
	"the story holds",
	"the story holds on a cluster",
	"the story is on the page",
	"interrupted, it stops what it started",
	"killed, it leaves no process",
	"without a terminal there are no escapes",
}

func TestPaceIsLegal(t *testing.T) {
	for _, fast := range []bool{false, true} {
		require.NoError(t, options{fast: fast}.pace().timing.Validate())
	}
}

func TestProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("runs real processes")
	}
	binary := filepath.Join(t.TempDir(), "quickstart")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	for name, test := range map[string]func(*testing.T, program){
		"the story holds":                         theStoryHolds,
		"the story holds on a cluster":            theStoryHoldsOnACluster,
		"the story is on the page":                theStoryIsOnThePage,
		"interrupted, it stops what it started":   interrupted,
		"unread, it stops what it started":        unread,
		"killed, it leaves no process":            killed,
		"a cluster that refuses is told about":    unusableCluster,
		"flags that make no sense are refused":    usage,
		"without a terminal there are no escapes": plain,
	} {
		t.Run(name, func(t *testing.T) {
			if slices.Contains(wholeStories, name) {
				whole.Only(t)
			}
			t.Parallel()
			test(t, program(binary))
		})
	}
}

func theStoryHolds(t *testing.T, p program) {
	q := p.start(t, "-fast", "-json")
	q.wait(t, 0)
	r := q.audit(t)
	require.True(t, r.OK)
	require.Empty(t, r.Violations)
	require.GreaterOrEqual(t, r.Terms, 5)
	require.Equal(t, 5, r.Processes)
	require.GreaterOrEqual(t, r.StaleRefused, 1)
	require.Zero(t, r.StaleAccepted)
	require.Len(t, r.Recoveries, 4)
	require.NotEmpty(t, r.Excepted, "the freeze")
	require.Empty(t, q.leftFiles(t))
}

func theStoryHoldsOnACluster(t *testing.T, p program) {
	cluster := newCluster(t)
	leases := watchLeases(cluster)
	cluster.Forbid(anonymous, "get", "patch")
	dir := t.TempDir()
	q := p.start(t, "-fast", "-json", "-kubeconfig", kubeconfig(t, cluster), "-dir", dir)
	q.wait(t, 0)
	require.True(t, q.audit(t).OK)
	require.Equal(t, []string{"+", "-", "+", "-"}, leases(), "made, deleted under the active, made again by a replica, cleaned up")

	entries, err := readLedgerFile(filepath.Join(dir, "ledger.jsonl"))
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	require.True(t, strings.HasPrefix(entries[0].Token.Scope, "from-context/"), entries[0].Token.Scope)
	require.FileExists(t, filepath.Join(dir, "events.jsonl"))
}

// The page shows each act, in the words of its JSON. The story waits for its first viewer.
func theStoryIsOnThePage(t *testing.T, p program) {
	q := p.start(t, "-fast", "-json", "-listen", "127.0.0.1:0")
	q.until(t, func(e event) bool { return e.Kind == kindAct })
	url := regexp.MustCompile(`http://\S+`).FindString(q.events[0].Text)
	require.NotEmpty(t, url)
	time.Sleep(200 * time.Millisecond)
	require.Empty(t, q.lines, "it waits")
	look := func() (o statuspage.Overview) {
		response, err := http.Get(url)
		if err != nil { // the story is over
			return o
		}
		defer response.Body.Close()
		_ = json.NewDecoder(response.Body).Decode(&o)
		return o
	}
	seen, reasons := map[string]bool{}, map[string]bool{}
	silent, ended := false, make(chan struct{})
	go func() {
		defer close(ended)
		for {
			o := look()
			if o.At.IsZero() {
				return
			}
			for _, r := range o.Replicas {
				name, _, _ := strings.Cut(r.Status.Identity, "_")
				seen[name+" "+r.Status.State] = true
				silent = silent || r.Error != ""
			}
			for _, term := range o.History {
				reasons[term.Reason] = true
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	q.wait(t, 0)
	<-ended
	require.True(t, q.audit(t).OK)
	require.True(t, silent, "one was killed, and one was frozen")
	for _, reason := range []string{"released", "expired", "deleted"} {
		require.True(t, reasons[reason], "%s: %v", reason, reasons)
	}
	for _, name := range names() {
		require.True(t, seen[name+" standby"], "%v", seen)
	}
}

// SIGINT while a replica is frozen: nothing is left, not even the Lease.
func interrupted(t *testing.T, p program) {
	cluster := newCluster(t)
	leases := watchLeases(cluster)
	q := p.start(t, "-fast", "-json", "-kubeconfig", kubeconfig(t, cluster), "-namespace", "elsewhere")
	q.until(t, func(e event) bool { return e.Fault == faultFreeze })
	require.NoError(t, q.cmd.Process.Signal(syscall.SIGINT))
	q.wait(t, exitInterrupted)
	require.Equal(t, []string{"+", "-"}, leases())
	require.Empty(t, q.leftFiles(t))
}

// Even a story that is killed leaves no replica, frozen or not.
func killed(t *testing.T, p program) {
	q := p.start(t, "-fast", "-json")
	q.until(t, func(e event) bool { return e.Fault == faultFreeze })
	require.NoError(t, q.cmd.Process.Kill())
	q.wait(t, -1)
}

// Piped into something that has seen enough, such as head.
func unread(t *testing.T, p program) {
	cluster := newCluster(t)
	leases := watchLeases(cluster)
	q := p.start(t, "-fast", "-json", "-kubeconfig", kubeconfig(t, cluster))
	q.until(t, func(e event) bool { return e.Kind == kindAcquired })
	require.NoError(t, q.stdout.Close())
	q.wait(t, exitInterrupted)
	require.Equal(t, []string{"+", "-"}, leases())
	require.Empty(t, q.leftFiles(t))
}

func unusableCluster(t *testing.T, p program) {
	q := p.start(t, "-json", "-kubeconfig", filepath.Join(t.TempDir(), "nosuchfile"))
	q.wait(t, exitFailed)
	require.Contains(t, q.stderr.String(), "nosuchfile")
	require.Empty(t, q.leftFiles(t))

	cluster := newCluster(t)
	cluster.Forbid(anonymous, "create")
	q = p.start(t, "-json", "-kubeconfig", kubeconfig(t, cluster))
	q.wait(t, exitFailed)
	require.Contains(t, q.stderr.String(), "creating the Lease")
	require.Contains(t, q.stderr.String(), "forbidden")
}

func usage(t *testing.T, p program) {
	for _, args := range [][]string{{"now"}, {"-namespace", "x"}, {"-slow"}} {
		q := p.start(t, args...)
		q.wait(t, exitUsage)
		require.Contains(t, q.stderr.String(), "-kubeconfig")
	}
}

func plain(t *testing.T, p program) {
	out, err := exec.CommandContext(t.Context(), string(p), "-fast").Output()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), "\x1b")
	for _, want := range []string{"Act 1/5", "Act 5/5", "REFUSED: token", "The audit holds"} {
		require.Contains(t, string(out), want)
	}
}

// program is the path of the built binary.
type program string

// quickstart is one run of the program.
type quickstart struct {
	cmd    *exec.Cmd
	stdout io.Closer
	lines  chan string
	events []event // seen so far
	last   string
	stderr bytes.Buffer
	tmp    string
}

func (p program) start(t *testing.T, args ...string) *quickstart {
	q := &quickstart{lines: make(chan string, 1<<16), tmp: t.TempDir()}
	q.cmd = exec.Command(string(p), args...)
	q.cmd.Env = append(os.Environ(), "TMPDIR="+q.tmp)
	q.cmd.Stderr = &q.stderr
	stdout, err := q.cmd.StdoutPipe()
	require.NoError(t, err)
	q.stdout = stdout
	require.NoError(t, q.cmd.Start())
	t.Cleanup(func() { _ = q.cmd.Process.Kill() })
	go func() {
		defer close(q.lines)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			q.lines <- lines.Text()
		}
	}()
	return q
}

// until reads events up to the first that matches.
func (q *quickstart) until(t *testing.T, match func(event) bool) {
	for {
		e, ok := q.next(t)
		require.True(t, ok, "it ended before")
		if match(e) {
			return
		}
	}
}

func (q *quickstart) next(t *testing.T) (event, bool) {
	select {
	case line, ok := <-q.lines:
		var e event
		if ok {
			require.NoError(t, json.Unmarshal([]byte(line), &e), "not JSON: %s", line)
			q.events, q.last = append(q.events, e), line
		}
		return e, ok
	case <-time.After(time.Minute):
		t.Fatal("it is silent")
		return event{}, false
	}
}

// wait reads the rest, wants that exit status, and that no process is left.
func (q *quickstart) wait(t *testing.T, status int) {
	for ok := true; ok; {
		_, ok = q.next(t)
	}
	_ = q.cmd.Wait()
	require.Equal(t, status, q.cmd.ProcessState.ExitCode(), "stderr: %s\nlast line: %s", q.stderr.String(), q.last)
	for _, e := range q.events {
		if e.Kind == kindStarted {
			require.Eventually(t, func() bool { return !alive(e.PID) }, 10*time.Second, 20*time.Millisecond,
				"replica %s (pid %d) outlived the story", e.Replica, e.PID)
		}
	}
}

// audit is the last line.
func (q *quickstart) audit(t *testing.T) report {
	require.Equal(t, kind("audit"), q.events[len(q.events)-1].Kind)
	var r report
	require.NoError(t, json.Unmarshal([]byte(q.last), &r))
	return r
}

func (q *quickstart) leftFiles(t *testing.T) []string {
	left, err := filepath.Glob(filepath.Join(q.tmp, "*"))
	require.NoError(t, err)
	return left
}

// alive reports whether the process runs or is stopped. One that is dead and
// waits for an init that never reaps is not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

// anonymous is who reaches the in-process server through a kubeconfig: clients
// send a file's credentials over TLS only.
const anonymous = "anonymous"

// newCluster plays a real one.
func newCluster(t *testing.T) *apiserver.Cluster {
	c := apiserver.New(apiserver.Options{Namespaces: []string{"from-context", "elsewhere"}})
	t.Cleanup(c.Close)
	return c
}

// watchLeases returns what tells the creations and deletions of Leases so far.
func watchLeases(c *apiserver.Cluster) func() []string {
	changes := make(chan string, 1000)
	c.OnWrite(func(w apiserver.Write) {
		switch before, after := w.Leases(); {
		case before == nil:
			changes <- "+"
		case after == nil:
			changes <- "-"
		}
	})
	return func() []string {
		var seen []string
		for len(changes) > 0 {
			seen = append(seen, <-changes)
		}
		return seen
	}
}

func kubeconfig(t *testing.T, c *apiserver.Cluster) string {
	url, err := c.Listen()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `
apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: %q}}]
contexts: [{name: test, context: {cluster: test, namespace: from-context}}]
`, url), 0o600))
	return path
}
