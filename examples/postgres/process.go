//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is one running replica.
type process struct {
	config replicaConfig
	cmd    *exec.Cmd
	stdin  io.WriteCloser // its lifeline
	exited chan struct{}  // closed when it is gone and all it said was passed on
}

// startReplica runs this binary again as a replica; heard is called with what it
// reports, by one goroutine.
func startReplica(config replicaConfig, heard func(report)) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, replicaArg)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = attributes()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{config: config, cmd: cmd, stdin: stdin, exited: make(chan struct{})}
	go func() {
		defer close(p.exited)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var r report
			if json.Unmarshal(lines.Bytes(), &r) == nil {
				heard(r)
			}
		}
		_ = cmd.Wait()
	}()
	if err := json.NewEncoder(stdin).Encode(config); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// stop ends it, gracefully if it can.
func (p *process) stop() {
	_ = p.signal(syscall.SIGCONT)
	_ = p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(10 * time.Second):
		p.kill()
	}
	_ = p.stdin.Close()
}

func (p *process) kill() {
	_ = p.signal(syscall.SIGKILL)
	<-p.exited
}
