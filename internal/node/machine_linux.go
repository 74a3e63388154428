package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hotseat-go/hotseat/internal/proc"
)

// envPart says what this program is to be: a machine's process 1, or a janitor.
const envPart = "HOTSEAT_NODE_PART"

// IsPart is the whole life of a part of a cluster if this process is to be one, and says whether it
// was. A program that calls [Up] calls it first.
func IsPart() bool {
	run := map[string]func() error{"machine": runMachine, "janitor": runJanitor}[os.Getenv(envPart)]
	if run == nil {
		return false
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

// machine is a process 1 with namespaces of its own, seen from outside.
type machine struct {
	name string
	run  *proc.Process
	ask  *rpc.Client
}

// startMachine starts one whose messages go to a file in dir.
func startMachine(name, dir string) (*machine, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(ends[0]), "machine"), os.NewFile(uintptr(ends[1]), "test")
	defer theirs.Close() //nolint:errcheck // the machine has its own
	connection, err := net.FileConn(ours)
	_ = ours.Close()
	if err != nil {
		return nil, err
	}
	cmd := proc.Self()
	cmd.Env = append(os.Environ(), envPart+"=machine")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS,
	}
	run, err := proc.Start(cmd, proc.Options{Log: filepath.Join(dir, "machine.log")})
	if err != nil {
		_ = connection.Close()
		return nil, fmt.Errorf("node: %s: %w", name, err)
	}
	return &machine{name, run, rpc.NewClient(connection)}, nil
}

// call asks process 1.
func (m *machine) call(ctx context.Context, method string, args, reply any) error {
	call := m.ask.Go("Machine."+method, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		if call.Error == nil {
			return nil
		}
		err := fmt.Errorf("node: %s: %s: %w", m.name, method, call.Error)
		if errors.Is(call.Error, rpc.ErrShutdown) || m.run.Gone() {
			return fmt.Errorf("%w\n%s", err, m.run.Tail())
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("node: %s: %s: %w", m.name, method, context.Cause(ctx))
	}
}

// start runs a program in the machine until it ends or is signalled.
func (m *machine) start(ctx context.Context, p Program) error {
	return m.call(ctx, "Start", p, &struct{}{})
}

// signal sends a signal to a program by its name.
func (m *machine) signal(ctx context.Context, name string, s syscall.Signal) error {
	return m.call(ctx, "Signal", Signal{name, s}, &struct{}{})
}

// output runs a command in the machine and returns what it says.
func (m *machine) output(ctx context.Context, args ...string) (string, error) {
	var o Output
	if err := m.call(ctx, "Run", Program{Args: args}, &o); err != nil {
		return "", err
	}
	if o.Status != 0 {
		return o.Text, fmt.Errorf("node: %s: %s: exit status %d: %s",
			m.name, exec.Command(args[0], args[1:]...), o.Status, o.Text)
	}
	return o.Text, nil
}

// kill ends all processes of the machine at once, and waits until they are gone.
func (m *machine) kill() {
	_ = m.run.Signal(syscall.SIGKILL)
	<-m.run.Exited()
	_ = m.ask.Close()
}
