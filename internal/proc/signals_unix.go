//go:build unix

package proc

import (
	"os/exec"
	"syscall"
)

// CanFreeze: this system can stop a process and let it go on.
const CanFreeze = true

func tie(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	dieWithParent(cmd.SysProcAttr)
}

// Freeze stops the process and those it started (SIGSTOP) until [Process.Thaw].
func (p *Process) Freeze() error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	signalAll(descendants(p.PID()), syscall.SIGSTOP) // counted now that it starts no more
	return nil
}

// Thaw lets them go on (SIGCONT).
func (p *Process) Thaw() error {
	children := descendants(p.PID())
	if err := p.Signal(syscall.SIGCONT); err != nil {
		return err
	}
	signalAll(children, syscall.SIGCONT)
	return nil
}

// Kill ends the process and those it started at once (SIGKILL), frozen or not, and waits until they are
// gone. Its group is not enough: PostgreSQL, for one, puts each of its processes into another.
func (p *Process) Kill() {
	if p.Signal(syscall.SIGSTOP) == nil {
		children := descendants(p.PID()) // counted now that it starts no more
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
		signalAll(children, syscall.SIGKILL)
		defer awaitEnd(children)
	}
	<-p.exited
}

func signalAll(pids []int, s syscall.Signal) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, s)
	}
}
