//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
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
	stdin io.Closer     // its lifeline: it ends with the story, however that ends
	gone  chan struct{} // closed when it is, and all it said is out
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
	p := &process{config, cmd, stdin, make(chan struct{})}
	go func() { defer close(p.gone); _ = cmd.Wait() }()
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

// stop ends the process and waits until it is gone: in order, if it can.
func (p *process) stop() {
	_ = p.signal(syscall.SIGTERM)
	select {
	case <-p.gone:
		_ = p.stdin.Close()
	case <-time.After(5 * time.Second):
		p.kill()
	}
}

// kill ends the process at once, frozen or not, and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.gone
	_ = p.stdin.Close()
}
