//go:build unix

package trial

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// stopGrace is how long a replica may take to end before it is killed.
const stopGrace = 10 * time.Second

// Process is a replica's, seen from the trial.
type Process struct {
	Name   string
	PID    int
	Exited <-chan struct{} // closed when it is gone and all it said is in the journal

	cmd     *exec.Cmd
	journal *Journal
	stdin   io.Closer // its lifeline
}

// Start starts a replica that reports to a journal. Stop it.
func Start(spec Spec, j *Journal) (*Process, error) {
	line, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), envReplica+"=1")
	// A group of its own: Ctrl-C is for the trial, which ends its replicas. Should
	// the trial die, the end of standard input ends them, and the kernel wakes a
	// frozen one.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	var pipes [2]io.ReadCloser
	if pipes[0], err = cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if pipes[1], err = cmd.StderrPipe(); err != nil {
		return nil, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	exited := make(chan struct{})
	p := &Process{Name: spec.Name, PID: cmd.Process.Pid, Exited: exited, cmd: cmd, journal: j, stdin: stdin}
	j.Add(Event{Kind: Started, Replica: p.Name, PID: p.PID})
	go func() {
		defer close(exited)
		p.follow(pipes[0], pipes[1])
	}()
	if _, err := stdin.Write(append(line, '\n')); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// follow takes in what the process says until it is gone.
func (p *Process) follow(stdout, stderr io.Reader) {
	said := func(line string) {
		p.journal.Add(Event{Kind: Said, Replica: p.Name, PID: p.PID, Text: line})
	}
	var readers sync.WaitGroup
	readers.Go(func() {
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var e Event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				said(lines.Text())
				continue
			}
			p.journal.Add(e)
		}
	})
	readers.Go(func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			said(lines.Text())
		}
	})
	readers.Wait()
	how := "exit status 0"
	if err := p.cmd.Wait(); err != nil {
		how = err.Error()
	}
	p.journal.Add(Event{Kind: Exited, Replica: p.Name, PID: p.PID, Text: how})
}

// Kill ends it at once (SIGKILL), frozen or not, and waits until it is gone.
func (p *Process) Kill() {
	p.ending()
	_ = p.cmd.Process.Kill()
	<-p.Exited
	_ = p.stdin.Close()
}

// Terminate tells it to end gracefully (SIGTERM).
func (p *Process) Terminate() error {
	p.ending()
	return p.signal(syscall.SIGTERM)
}

// Freeze has it stop (SIGSTOP) before it sends its next record; it says so.
func (p *Process) Freeze() error { return p.signal(syscall.SIGUSR1) }

// Thaw lets it go on (SIGCONT).
func (p *Process) Thaw() error {
	p.journal.Add(Event{Kind: Thawed, Replica: p.Name, PID: p.PID})
	return p.signal(syscall.SIGCONT)
}

// Stop ends it, frozen or not: gracefully if it can, else not, and waits until
// it is gone.
func (p *Process) Stop() {
	p.ending()
	_ = p.signal(syscall.SIGCONT)
	_ = p.signal(syscall.SIGTERM)
	select {
	case <-p.Exited:
	case <-time.After(stopGrace):
		_ = p.cmd.Process.Kill()
		<-p.Exited
	}
	_ = p.stdin.Close()
}

func (p *Process) ending() { p.journal.Add(Event{Kind: Ending, Replica: p.Name, PID: p.PID}) }

func (p *Process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("trial: %v to %s (pid %d): %w", s, p.Name, p.PID, err)
	}
	return nil
}
