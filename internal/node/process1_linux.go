package node

import (
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Program is what a machine is told to run.
type Program struct {
	Name string // to signal it by
	Args []string
	Env  []string // further variables
	Log  string   // a file in the machine that its output is appended to
}

// Signal is for a program.
type Signal struct {
	Name   string
	Signal syscall.Signal
}

// Output of a command that has ended.
type Output struct {
	Text   string
	Status int
}

// Machine is process 1 in its namespaces, and the methods that it is asked for. It is safe for
// concurrent use.
type Machine struct {
	mu      sync.Mutex
	running map[int]chan<- unix.WaitStatus // by process id
	named   map[string]int
}

// runMachine is the life of process 1. It ends, and with it the machine, when whoever started it is
// gone.
func runMachine() error {
	connection, err := net.FileConn(os.NewFile(3, "test"))
	if err != nil {
		return fmt.Errorf("node: another program has to start this one: %w", err)
	}
	m := &Machine{running: map[int]chan<- unix.WaitStatus{}, named: map[string]int{}}
	died := make(chan os.Signal, 1)
	signal.Notify(died, unix.SIGCHLD)
	go func() {
		for range died {
			m.reap()
		}
	}()
	server := rpc.NewServer()
	if err := server.Register(m); err != nil {
		return err
	}
	server.ServeConn(connection)
	return nil
}

// reap collects every process that has ended, also orphans of others.
func (m *Machine) reap() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if pid <= 0 || err != nil {
			return
		}
		if ended := m.running[pid]; ended != nil {
			ended <- status // has room
			delete(m.running, pid)
		}
	}
}

// spawn starts a program. It cannot be reaped before it is known: the lock is held meanwhile.
func (m *Machine) spawn(p Program, out *os.File) (<-chan unix.WaitStatus, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close() //nolint:errcheck // only read from
	ended := make(chan unix.WaitStatus, 1)
	m.mu.Lock()
	defer m.mu.Unlock()
	if pid, is := m.named[p.Name]; is && m.running[pid] != nil {
		return nil, fmt.Errorf("%s runs", p.Name)
	}
	pid, err := syscall.ForkExec(p.Args[0], p.Args, &syscall.ProcAttr{
		Dir: "/", Env: append(os.Environ(), p.Env...), Sys: &syscall.SysProcAttr{Setsid: true},
		Files: []uintptr{null.Fd(), out.Fd(), out.Fd()},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Args[0], err)
	}
	m.running[pid] = ended
	if p.Name != "" {
		m.named[p.Name] = pid
	}
	return ended, nil
}

// Start starts a program and does not wait for its end.
func (m *Machine) Start(p Program, _ *struct{}) error {
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // nothing of ours is written
	_, err = m.spawn(p, log)
	return err
}

// Run runs a command to its end.
func (m *Machine) Run(p Program, o *Output) error {
	out, err := os.CreateTemp("", "output-")
	if err != nil {
		return err
	}
	defer func() { _, _ = out.Close(), os.Remove(out.Name()) }()
	ended, err := m.spawn(p, out)
	if err != nil {
		return err
	}
	status := <-ended
	o.Status = status.ExitStatus()
	if status.Signaled() {
		o.Status = 128 + int(status.Signal())
	}
	text, err := os.ReadFile(out.Name())
	o.Text = string(text)
	return err
}

// Signal signals a program that runs. SIGKILL waits for its end.
func (m *Machine) Signal(s Signal, _ *struct{}) error {
	m.mu.Lock()
	pid := m.named[s.Name]
	runs := m.running[pid] != nil
	m.mu.Unlock()
	if !runs {
		return fmt.Errorf("%s does not run", s.Name)
	}
	if err := unix.Kill(pid, s.Signal); err != nil {
		return err
	}
	for runs && s.Signal == unix.SIGKILL {
		time.Sleep(time.Millisecond)
		m.mu.Lock()
		runs = m.running[pid] != nil
		m.mu.Unlock()
	}
	return nil
}

// Disk is what a machine has of its host.
type Disk struct {
	Hostname string
	Binds    map[string]string // folders, by where the machine has them: below /run, /tmp or /var
}

// Boot makes the machine's view of files: the host's, to be read only, without what is of the
// host's daemons, and with the folders that are its own.
func (*Machine) Boot(d Disk, _ *struct{}) error {
	steps := []func() error{
		func() error { return unix.Sethostname([]byte(d.Hostname)) },
		func() error { return mountAll(d.Binds) },
		fakeSettings,
		forwardHere,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join("/run", "lock"), 0o755)
}
