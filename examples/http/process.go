//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// replicaArg makes this binary one replica instead of the story.
const replicaArg = "replica"

// replicaConfig is what a replica is told, as one line on its standard input.
type replicaConfig struct {
	Name  string // also its user at the API server
	API   string // URL of the API server
	Store string // URL of the store
}

// process is a replica that runs.
type process struct {
	replicaConfig
	cmd   *exec.Cmd
	stdin io.Closer // its lifeline: it ends with the story, however that ends
}

// start runs this binary again as a replica; what it says goes to out.
func start(config replicaConfig, out io.Writer) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, replicaArg)
	cmd.Stdout, cmd.Stderr = out, out
	// A group of its own: Ctrl-C is for the story. If that dies while the replica is frozen, the system ends the
	// orphaned group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{config, cmd, stdin}
	if _, err := stdin.Write(append(line, '\n')); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

func (p *process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("%v to %s: %w", s, p.Name, err)
	}
	return nil
}

// kill ends the process at once, frozen or not, and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = p.stdin.Close()
}
