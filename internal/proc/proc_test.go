//go:build unix

package proc_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/proc"
)

// enough is far above what anything here takes, also on a machine that does much else.
const enough = time.Minute

// part is what this binary is as a child.
type part struct {
	Name     string
	Lifeline bool // of the child of a parent
}

// TestMain lets the test binary be the children that the tests start.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != "child" {
		os.Exit(m.Run())
	}
	p := part{}
	if len(os.Args) > 2 {
		p.Name = os.Args[2]
	} else if err := proc.Told(&p); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	p.play()
}

func (p part) play() {
	switch p.Name {
	case "talker":
		fmt.Fprintln(os.Stderr, "a complaint")
		fmt.Println("a line")
		fmt.Println(strings.Repeat("x", 1<<20))
		fmt.Print("the last")
		os.Exit(3)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM, syscall.SIGHUP)
		fmt.Println("here")
		time.Sleep(enough)
	case "obedient":
		fmt.Println("here")
		time.Sleep(enough)
	case "counter":
		for n := 0; ; n++ {
			fmt.Println(n)
			time.Sleep(time.Millisecond)
		}
	case "parent": // of a frozen child
		cmd, o := proc.Self("child", "stubborn"), proc.Options{}
		if p.Lifeline {
			cmd, o.Tell = proc.Self("child"), part{Name: "obedient"}
		}
		here := make(chan struct{})
		o.Out = func([]byte) { close(here) }
		c, err := proc.Start(cmd, o)
		if err != nil {
			panic(err)
		}
		<-here
		if err := c.Freeze(); err != nil {
			panic(err)
		}
		fmt.Println(c.PID())
		<-c.Exited()
	}
}

// start runs the part as a child, which ends with the test at the latest. What it says is in the channel.
func start(t *testing.T, p part) (*proc.Process, <-chan string) {
	t.Helper()
	lines := make(chan string, 1<<16)
	child, err := proc.Start(proc.Self("child"), proc.Options{Tell: p, Out: func(line []byte) { lines <- string(line) }})
	require.NoError(t, err)
	t.Cleanup(child.Kill)
	return child, lines
}

func next(t *testing.T, lines <-chan string) string {
	t.Helper()
	select {
	case line := <-lines:
		return line
	case <-time.After(enough):
		t.Fatal("it says nothing")
		return ""
	}
}

func TestHooks(t *testing.T) {
	t.Parallel()
	var pid int
	var out, errs, order []string
	p, err := proc.Start(proc.Self("child"), proc.Options{
		Tell:    part{Name: "talker"},
		Started: func(n int) { pid, order = n, append(order, "started") },
		Out:     func(line []byte) { out = append(out, string(line)) },
		Err:     func(line []byte) { errs = append(errs, string(line)) },
		Ended:   func(how error) { order = append(order, how.Error()) },
	})
	require.NoError(t, err)
	require.ErrorContains(t, p.Wait(), "exit status 3")
	require.True(t, p.Gone())
	require.Equal(t, p.PID(), pid)
	require.Equal(t, []string{"started", "exit status 3"}, order)
	require.Equal(t, []string{"a line", strings.Repeat("x", 1<<20), "the last"}, out)
	require.NotEmpty(t, errs)
	require.Equal(t, "a complaint", errs[0], "a program built for coverage complains of more")
	require.ErrorIs(t, p.Signal(syscall.SIGCONT), os.ErrProcessDone)
	p.Kill() // may be called again, as may Stop
	p.Stop(0)
}

func TestLog(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	for range 2 { // the second life writes behind the first
		p, err := proc.Start(exec.Command("sh", "-c", "echo out; echo err >&2"), proc.Options{Log: log})
		require.NoError(t, err)
		require.NoError(t, p.Wait())
		require.Contains(t, p.Tail(), "out\nerr")
	}
	require.Equal(t, "out\nerr\nout\nerr", proc.Tail(log))
	require.NoError(t, os.WriteFile(log, []byte(strings.Repeat("y", 10_000)+"end\n"), 0o600))
	require.Equal(t, strings.Repeat("y", 4<<10-4)+"end", proc.Tail(log))
	require.Contains(t, proc.Tail(log+".none"), "no such file")
}

// TestEnter: the child has what its thread was given, and nobody else has.
func TestEnter(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs threads with niceness of their own")
	}
	nice := func(enter func() error) string {
		lines := make(chan string, 1)
		p, err := proc.Start(exec.Command("sh", "-c", "nice"), proc.Options{
			Enter: enter, Out: func(line []byte) { lines <- string(line) },
		})
		require.NoError(t, err)
		require.NoError(t, p.Wait())
		return <-lines
	}
	before := nice(nil)
	lower := func() error { return syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19) }
	require.Equal(t, "19", nice(lower))
	require.Equal(t, before, nice(nil))

	why := errors.New("no such place")
	_, err := proc.Start(exec.Command("true"), proc.Options{
		Tell: part{}, Enter: func() error { return why },
	})
	require.ErrorIs(t, err, why)
}

func TestNoSuchProgram(t *testing.T) {
	t.Parallel()
	_, err := proc.Start(exec.Command(filepath.Join(t.TempDir(), "none")), proc.Options{Tell: 1})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = proc.Start(proc.Self(), proc.Options{Log: filepath.Join(t.TempDir(), "none", "log")})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestNoZombie: whatever ended it, the child is reaped.
func TestNoZombie(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*proc.Process){
		"killed":     (*proc.Process).Kill,
		"stopped":    func(p *proc.Process) { p.Stop(enough) },
		"terminated": func(p *proc.Process) { require.NoError(t, p.Terminate()); <-p.Exited() },
	} {
		p, lines := start(t, part{Name: "obedient"})
		next(t, lines)
		end(p)
		require.True(t, p.Gone(), name)
		require.ErrorIs(t, syscall.Kill(p.PID(), 0), syscall.ESRCH, name)
	}
}

// TestStopOfOneThatIgnoresSIGTERM, and of one that is frozen.
func TestStopOfOneThatIgnoresSIGTERM(t *testing.T) {
	t.Parallel()
	p, lines := start(t, part{Name: "stubborn"})
	next(t, lines)
	p.Stop(10 * time.Millisecond)
	require.ErrorContains(t, p.Wait(), "killed")

	p, lines = start(t, part{Name: "obedient"})
	next(t, lines)
	require.NoError(t, p.Freeze())
	p.Stop(enough)
	require.ErrorContains(t, p.Wait(), "terminated")

	p, lines = start(t, part{Name: "obedient"})
	next(t, lines)
	require.NoError(t, p.Freeze())
	p.Kill()
	require.ErrorContains(t, p.Wait(), "killed")
}

func TestFreezeAndThaw(t *testing.T) {
	t.Parallel()
	p, lines := start(t, part{Name: "counter"})
	next(t, lines)
	require.NoError(t, p.Freeze())
	silent := func() bool {
		before := len(lines)
		time.Sleep(200 * time.Millisecond) // what it said before arrives
		return len(lines) == before
	}
	require.Eventually(t, silent, enough, time.Millisecond)
	require.False(t, p.Gone())
	for len(lines) > 0 {
		<-lines
	}
	require.NoError(t, p.Thaw())
	next(t, lines)
}

// TestChildOfOneThatIsKilled: it does not live on, though it is frozen.
func TestChildOfOneThatIsKilled(t *testing.T) {
	t.Parallel()
	for _, lifeline := range []bool{true, false} {
		if !lifeline && runtime.GOOS != "linux" {
			continue // no kernel kills the child then
		}
		p, lines := start(t, part{Name: "parent", Lifeline: lifeline})
		child, err := strconv.Atoi(next(t, lines))
		require.NoError(t, err)
		require.NoError(t, syscall.Kill(child, 0), "the child is there")
		require.NoError(t, p.Signal(os.Kill)) // Kill would end the child, too
		require.Eventually(t, func() bool { return ended(child) }, enough, 10*time.Millisecond)
	}
}

// TestKillEndsAllItStarted: also what left its group.
func TestKillEndsAllItStarted(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("needs setsid")
	}
	lines := make(chan string, 1)
	p, err := proc.Start(exec.Command("sh", "-c", "setsid sleep 1000 > /dev/null & echo $!; wait"),
		proc.Options{Out: func(line []byte) { lines <- string(line) }})
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	child, err := strconv.Atoi(next(t, lines))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(child, 0), "the child runs")
	require.NoError(t, p.Freeze())
	require.NoError(t, p.Thaw())
	p.Kill()
	require.Error(t, p.Thaw())
	require.Eventually(t, func() bool { return ended(child) }, enough, 10*time.Millisecond)
}

func TestAwait(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	soon := errors.New("not yet")
	p, err := proc.Start(exec.Command("sh", "-c", "echo why; read line"), proc.Options{Tell: part{}, Log: log})
	require.NoError(t, err)
	<-p.Exited() // its line has come
	err = p.Await(t.Context(), func(context.Context) error { return soon })
	require.ErrorIs(t, err, soon)
	require.ErrorContains(t, err, "ended")
	require.ErrorContains(t, err, "why")

	child, lines := start(t, part{Name: "obedient"})
	next(t, lines)
	asked := 0
	require.NoError(t, child.Await(t.Context(), func(context.Context) error {
		if asked++; asked < 3 {
			return soon
		}
		return nil
	}))
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, errors.New("enough"))
	defer cancel()
	err = child.Await(ctx, func(context.Context) error { return soon })
	require.ErrorIs(t, err, soon)
	require.ErrorContains(t, err, "is not ready: enough")
}

func TestToldByNobody(t *testing.T) {
	t.Parallel()
	out, err := proc.Self("child").CombinedOutput() // its input is empty
	require.Error(t, err)
	require.Contains(t, string(out), "another program has to start this one")
}

func TestFreePorts(t *testing.T) {
	t.Parallel()
	ports, err := proc.FreePorts(3)
	require.NoError(t, err)
	require.Len(t, ports, 3)
	require.NotEqual(t, ports[0], ports[1])
	require.NotEqual(t, ports[1], ports[2])
}

// ended: gone, or waiting for somebody to collect it.
func ended(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	return err == nil && regexp.MustCompile(`(?m)^State:\s*[ZX]`).Match(text)
}
