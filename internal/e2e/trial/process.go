//go:build unix

package trial

import (
	"encoding/json"
	"os"
	"syscall"
	"time"

	"github.com/hotseat-go/hotseat/internal/proc"
)

// stopGrace is how long a replica may take to end before it is killed.
const stopGrace = 10 * time.Second

// Process is a replica's, seen from the trial.
type Process struct {
	Name string
	PID  int

	child   *proc.Process
	journal *Journal
}

// Start starts a replica that reports to a journal. Stop it.
func Start(spec Spec, j *Journal) (*Process, error) {
	p := &Process{Name: spec.Name, journal: j}
	cmd := proc.Self()
	cmd.Env = append(os.Environ(), envReplica+"=1")
	var err error
	p.child, err = proc.Start(cmd, proc.Options{
		Tell: spec,
		Started: func(pid int) {
			p.PID = pid
			p.note(Started, "")
		},
		Out: func(line []byte) {
			var e Event
			if err := json.Unmarshal(line, &e); err != nil {
				p.note(Said, string(line))
				return
			}
			j.Add(e)
		},
		Err: func(line []byte) { p.note(Said, string(line)) },
		Ended: func(how error) {
			if how == nil {
				p.note(Exited, "exit status 0")
				return
			}
			p.note(Exited, how.Error())
		},
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Kill ends it at once (SIGKILL), frozen or not, and waits until it is gone.
func (p *Process) Kill() {
	p.note(Ending, "")
	p.child.Kill()
}

// Terminate tells it to end gracefully (SIGTERM).
func (p *Process) Terminate() error {
	p.note(Ending, "")
	return p.child.Terminate()
}

// Freeze has it stop (SIGSTOP) before it sends its next record; it says so.
func (p *Process) Freeze() error { return p.child.Signal(syscall.SIGUSR1) }

// Hang has its work hang after its next record, until the work's context ends; it says so.
func (p *Process) Hang() error { return p.child.Signal(syscall.SIGUSR2) }

// Thaw lets it go on (SIGCONT).
func (p *Process) Thaw() error {
	p.note(Thawed, "")
	return p.child.Thaw()
}

// Stop ends it, frozen or not: gracefully if it can, else not, and waits until
// it is gone.
func (p *Process) Stop() {
	p.note(Ending, "")
	p.child.Stop(stopGrace)
}

func (p *Process) note(what Kind, text string) {
	p.journal.Add(Event{Kind: what, Replica: p.Name, PID: p.PID, Text: text})
}
