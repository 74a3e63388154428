//go:build !unix

package proc

import (
	"errors"
	"os/exec"
)

// CanFreeze: this system cannot stop a process and let it go on.
const CanFreeze = false

func tie(*exec.Cmd) {}

// Freeze is unsupported here.
func (p *Process) Freeze() error { return errors.ErrUnsupported }

// Thaw is unsupported here.
func (p *Process) Thaw() error { return errors.ErrUnsupported }

// Kill ends the process at once and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}
