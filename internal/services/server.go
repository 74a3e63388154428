//go:build unix

package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/internal/proc"
)

// patience bounds how long a server takes to begin: far above what any needs,
// also on a machine that does much else.
const patience = 2 * time.Minute

// Server is a running server. Its methods are not safe for concurrent use with
// each other, but for those that only tell something.
type Server struct {
	kind kind
	dir  string
	addr string
	args []string
	as   *syscall.Credential
	run  *proc.Process
}

// kind is a kind of server.
type kind struct {
	name    string
	user    string                                     // whom it runs as when we are root
	pkg     string                                     // Debian's package of it
	find    func() (bin string, ok bool)               // the server's binary
	files   map[string]string                          // written into its folder
	prepare func(bin, dir string) [][]string           // commands that make the data folder
	command func(bin, dir, port string) []string       // the server
	ready   func(ctx context.Context, s *Server) error // nil once it answers
	dsn     func(addr string) string
}

// start installs the server if it is missing and may be, and runs it with args
// after the usual ones.
func start(ctx context.Context, k kind, args []string) (_ *Server, err error) {
	bin, err := install(ctx, k)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("waited %v", patience))
	defer cancel()
	dir, err := os.MkdirTemp("", "hotseat-"+k.name+"-")
	if err != nil {
		return nil, err
	}
	s := &Server{kind: k, dir: dir}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.own(); err != nil {
		return nil, err
	}
	for name, text := range k.files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	for _, args := range k.prepare(bin, dir) {
		if err := s.do(ctx, args); err != nil {
			return nil, err
		}
	}
	ports, err := proc.FreePorts(1)
	if err != nil {
		return nil, err
	}
	s.addr = net.JoinHostPort("127.0.0.1", ports[0])
	s.args = append(k.command(bin, dir, ports[0]), args...)
	return s, s.start(ctx)
}

// own gives the folder to whom the server runs as: a database refuses to be root.
func (s *Server) own() error {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup(s.kind.user)
	if err != nil {
		return fmt.Errorf("services: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return fmt.Errorf("services: %w", err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return fmt.Errorf("services: %w", err)
	}
	s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.dir, int(uid), int(gid))
}

// launch starts a command in the folder, as whom the server runs as.
func (s *Server) launch(args []string) (*proc.Process, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "TMPDIR="+s.dir, "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	p, err := proc.Start(cmd, proc.Options{Log: s.log()})
	if err != nil {
		return nil, fmt.Errorf("services: %s: %w", s.kind.name, err)
	}
	return p, nil
}

// do runs a command to its end.
func (s *Server) do(ctx context.Context, args []string) error {
	p, err := s.launch(args)
	if err != nil {
		return err
	}
	select {
	case <-p.Exited():
		err = p.Wait()
	case <-ctx.Done():
		p.Kill()
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("services: %s: %w:\n%s", args[0], err, s.Log())
	}
	return nil
}

func (s *Server) start(ctx context.Context) (err error) {
	if s.run, err = s.launch(s.args); err != nil {
		return err
	}
	err = s.run.Await(ctx, func(ctx context.Context) error { return s.kind.ready(ctx, s) })
	if err != nil {
		return fmt.Errorf("services: %s: %w", s.kind.name, err)
	}
	return nil
}

// Addr is where it listens: host:port.
func (s *Server) Addr() string { return s.addr }

// DSN is how the driver named in the server's constructor connects.
func (s *Server) DSN() string { return s.kind.dsn(s.addr) }

// DSNVia is DSN for whoever connects by another address: of a proxy, say.
func (s *Server) DSNVia(addr string) string { return s.kind.dsn(addr) }

// PID is the server's process id; 0 when it does not run.
func (s *Server) PID() int {
	if s.run == nil || s.run.Gone() {
		return 0
	}
	return s.run.PID()
}

// Kill ends the server and the processes it started at once (SIGKILL), and
// returns when they are gone. What it had not written is lost, as in a crash.
func (s *Server) Kill() {
	if s.run != nil {
		s.run.Kill()
	}
}

// Restart runs the server again, over the same data and on the same port, after
// [Server.Kill], which it calls if need be. It returns when the server answers.
func (s *Server) Restart(ctx context.Context) error {
	s.Kill()
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("waited %v", patience))
	defer cancel()
	return s.start(ctx)
}

// Freeze stops the server and its processes (SIGSTOP) until [Server.Thaw]:
// connections stay, and nobody answers.
func (s *Server) Freeze() error { return s.run.Freeze() }

// Thaw lets it go on.
func (s *Server) Thaw() error { return s.run.Thaw() }

// Close kills the server and removes its data.
func (s *Server) Close() {
	s.Kill()
	_ = os.RemoveAll(s.dir)
}

func (s *Server) log() string { return filepath.Join(s.dir, "server.log") }

// Log is the end of what the server wrote.
func (s *Server) Log() string { return proc.Tail(s.log()) }

// forTest is start for a test, which it skips where the server is missing and
// may not be installed.
func forTest(tb testing.TB, k kind, args []string) *Server {
	tb.Helper()
	s, err := start(tb.Context(), k, args)
	Need(tb, err)
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("%s wrote last:\n%s", k.name, s.Log())
		}
		s.Close()
	})
	return s
}

// Need fails the test for an error of a Start function; for [ErrMissing] it skips the test,
// but not in CI.
func Need(tb testing.TB, err error) {
	tb.Helper()
	if errors.Is(err, ErrMissing) && os.Getenv("CI") == "" {
		tb.Skipf("SKIPPED: %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// greet connects, says something and looks at the answer.
func (s *Server) greet(ctx context.Context, say string, answer func(io.Reader) error) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(conn, say); err != nil {
		return err
	}
	return answer(conn)
}
