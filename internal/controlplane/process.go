//go:build unix

package controlplane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// Process is one part of the control plane. Its methods are not safe for
// concurrent use with each other.
type Process struct {
	name string
	log  string // the file it writes to
	args []string
	run  *running
}

// running is one life of a Process.
type running struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it is gone
	err  error
}

// start runs it. It ends with this process, however that ends: the kernel
// kills it (Linux) when the thread that started it is gone, so that thread waits
// for it.
func (p *Process) start() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = filepath.Dir(p.log)
	cmd.SysProcAttr = dieWithParent()
	r := &running{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		defer func() { _ = log.Close() }()
		err := cmd.Start()
		started <- err
		if err == nil {
			r.err = cmd.Wait()
		}
		close(r.done)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("controlplane: %s: %w", p.name, err)
	}
	p.run = r
	return nil
}

// PID is the process id of its current life; 0 when it is not running.
func (p *Process) PID() int {
	if !p.alive() {
		return 0
	}
	return p.run.cmd.Process.Pid
}

func (p *Process) alive() bool {
	if p.run == nil {
		return false
	}
	select {
	case <-p.run.done:
		return false
	default:
		return true
	}
}

// Kill ends it at once (SIGKILL) and waits until it is gone.
func (p *Process) Kill() {
	if p.run != nil {
		_ = p.run.cmd.Process.Kill()
		<-p.run.done
	}
}

// Freeze stops it (SIGSTOP) until [Process.Thaw].
func (p *Process) Freeze() error { return p.signal(syscall.SIGSTOP) }

// Thaw lets it go on.
func (p *Process) Thaw() error { return p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) error {
	if !p.alive() {
		return fmt.Errorf("controlplane: %s is not running", p.name)
	}
	return p.run.cmd.Process.Signal(s)
}

// await asks until ready says nil, the process is gone or ctx ends.
func (p *Process) await(ctx context.Context, ready func(context.Context) error) error {
	var last error
	for {
		if last = ready(ctx); last == nil {
			return nil
		}
		select {
		case <-p.run.done:
			return fmt.Errorf("controlplane: %s ended: %w:\n%s", p.name, errors.Join(p.run.err, last), p.tail())
		case <-ctx.Done():
			return fmt.Errorf("controlplane: %s is not ready: %w:\n%s", p.name, errors.Join(context.Cause(ctx), last), p.tail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// tail is the end of its log.
func (p *Process) tail() []byte {
	const most = 4 << 10
	text, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(text[max(0, len(text)-most):])
}

// freePorts returns that many ports that are free now.
func freePorts(n int) ([]string, error) {
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // when all are found, so that they differ
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
