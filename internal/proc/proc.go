package proc

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Options of a child. The hooks are called by goroutines of its own; the first is Started, the last is
// Ended, and between them Out and Err may be called at the same time.
type Options struct {
	// Tell is what the child is told when it starts, as one line of JSON on its standard input. That
	// stays open for as long as this process lives; see [Told]. nil: the input is the command's.
	Tell any
	// Log is a file that all it writes is appended to. Out and Err hear nothing then.
	Log string
	// Enter is called on the thread that starts the child, before that: to put it into a network
	// namespace, say. The thread is used for nothing else. nil: nothing is called.
	Enter func() error

	Started func(pid int)
	Out     func(line []byte) // hears its standard output
	Err     func(line []byte) // hears its standard error
	Ended   func(how error)   // nil: with exit status 0
}

// Process is a child that was started. Its methods are safe for concurrent use, but for Say.
type Process struct {
	cmd    *exec.Cmd
	log    string
	stdin  io.WriteCloser
	exited chan struct{}
	err    error // how it ended; to be read after exited
}

// Self is a command that runs this program again.
func Self(args ...string) *exec.Cmd {
	path, err := os.Executable()
	cmd := exec.Command(path, args...)
	if err != nil {
		cmd.Err = err
	}
	return cmd
}

// Start runs a command. The process is reaped by a goroutine of its own, which ends when the process
// has: see [Process.Exited].
func Start(cmd *exec.Cmd, o Options) (*Process, error) {
	p := &Process{cmd: cmd, log: o.Log, exited: make(chan struct{})}
	if o.Tell != nil {
		var err error
		if p.stdin, err = cmd.StdinPipe(); err != nil {
			return nil, err
		}
	}
	listen, done, err := p.output(o)
	if err != nil {
		return nil, err
	}
	defer done()
	tie(cmd)
	started := make(chan error, 1)
	go p.live(o, listen, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("proc: %w", err)
	}
	if o.Tell == nil {
		return p, nil
	}
	if err := p.Say(o.Tell); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// live is the whole life of the process. The kernel kills a child when the thread that started it is
// gone, so that thread waits for it.
func (p *Process) live(o Options, listen func(), started chan<- error) {
	runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
	defer close(p.exited)
	if o.Enter != nil && p.cmd.Err == nil {
		p.cmd.Err = o.Enter() // Start returns it, and drops what was opened for the child
	}
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	if o.Started != nil {
		o.Started(p.PID())
	}
	started <- nil
	listen()
	p.err = p.cmd.Wait()
	if o.Ended != nil {
		o.Ended(p.err)
	}
}

// PID is its process id, also after its end.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the process is gone and everything it said was heard.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Gone reports whether Exited is closed.
func (p *Process) Gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// Wait returns when Exited is closed: how the process ended, nil with exit status 0.
func (p *Process) Wait() error {
	<-p.exited
	return p.err
}

// Say writes a line of JSON to the standard input of a child that was told something.
func (p *Process) Say(v any) error {
	if err := json.NewEncoder(p.stdin).Encode(v); err != nil {
		return fmt.Errorf("proc: to %s: %w", p, err)
	}
	return nil
}

// Signal sends a signal to the process alone. It is an error when the process is gone.
func (p *Process) Signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("proc: %v to %s: %w", s, p, err)
	}
	return nil
}

// Terminate asks the process to end (SIGTERM).
func (p *Process) Terminate() error { return p.Signal(syscall.SIGTERM) }

// Stop ends the process, frozen or not, and waits until it is gone: in order if it does that within the
// grace, else like Kill.
func (p *Process) Stop(grace time.Duration) {
	_ = p.Thaw()
	if p.Terminate() == nil {
		select {
		case <-p.exited:
		case <-time.After(grace):
		}
	}
	p.Kill()
}

func (p *Process) String() string {
	return fmt.Sprintf("%s (pid %d)", filepath.Base(p.cmd.Path), p.PID())
}
