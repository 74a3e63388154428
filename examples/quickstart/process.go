package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// stopGrace is how long a replica may take to stop before it is killed.
const stopGrace = 5 * time.Second

// process is one running replica.
type process struct {
	name   string
	pid    int
	cmd    *exec.Cmd
	stdin  io.Closer     // its lifeline
	exited chan struct{} // closed when it is gone and all it said is in the journal
}

// startProcess runs this binary again as a replica that reports to j.
func startProcess(config replicaConfig, j *journal) (*process, error) {
	line, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, replicaArg)
	cmd.SysProcAttr = processAttributes()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{name: config.Name, pid: cmd.Process.Pid, cmd: cmd, stdin: stdin, exited: make(chan struct{})}
	j.add(event{Kind: kindStarted, Replica: p.name, PID: p.pid})
	go p.follow(stdout, stderr, j)
	if _, err := stdin.Write(append(line, '\n')); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// follow takes in what the process says until it is gone.
func (p *process) follow(stdout, stderr io.Reader, j *journal) {
	defer close(p.exited)
	logged := func(line string) { j.add(event{Kind: kindLog, Replica: p.name, PID: p.pid, Text: line}) }
	var readers sync.WaitGroup
	readers.Go(func() {
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var e event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				logged(lines.Text())
				continue
			}
			j.add(e)
		}
	})
	readers.Go(func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			logged(lines.Text())
		}
	})
	readers.Wait()
	how := "exit status 0"
	if err := p.cmd.Wait(); err != nil {
		how = err.Error()
	}
	j.add(event{Kind: kindExited, Replica: p.name, PID: p.pid, Text: how})
}

// stop ends the process, frozen or not: gracefully if it can, else not, and
// waits until it is gone.
func (p *process) stop() {
	_ = p.signal(signalContinue)
	_ = p.signal(signalTerminate)
	select {
	case <-p.exited:
	case <-time.After(stopGrace):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	_ = p.stdin.Close()
}

func (p *process) signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("%v to %s (pid %d): %w", s, p.name, p.pid, err)
	}
	return nil
}
