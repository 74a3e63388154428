//go:build unix

package services

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// process is one life of a server, in a process group of its own.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it is gone
	err  error         // how it ended; to be read after done
}

// launch starts args as a user, in dir; what it says is appended to log. It ends
// with this process: the kernel kills it (Linux) when the thread that started it
// is gone, so that thread waits for it.
func launch(name, log, dir string, as *syscall.Credential, args []string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "TMPDIR="+dir, "LC_ALL=C")
	cmd.SysProcAttr = dieWithParent()
	cmd.SysProcAttr.Credential, cmd.SysProcAttr.Setpgid = as, true
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		defer close(p.done)
		defer func() { _ = out.Close() }()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("services: %s: %w", name, err)
	}
	return p, nil
}

func (p *process) gone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal goes to the process and to all that it started.
func (p *process) signal(s syscall.Signal) error {
	if p.gone() {
		return fmt.Errorf("services: %s is not running", p.cmd.Path)
	}
	pid := p.cmd.Process.Pid
	children := descendants(pid)
	if err := syscall.Kill(pid, s); err != nil {
		return fmt.Errorf("services: %s: %w", p.cmd.Path, err)
	}
	for _, child := range children {
		_ = syscall.Kill(child, s)
	}
	return nil
}

// kill ends the process and all that it started. PostgreSQL puts each of its
// processes into a group of its own, so the group alone is not enough. The first is stopped before
// its children are counted, so that it starts no more.
func (p *process) kill() {
	if p.gone() {
		return
	}
	pid := p.cmd.Process.Pid
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	children := descendants(pid)
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	for _, child := range children {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	<-p.done
	awaitEnd(children)
}
