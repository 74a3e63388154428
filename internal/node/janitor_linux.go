package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotseat-go/hotseat/internal/proc"
)

// will is what is to be cleaned up after a cluster.
type will struct {
	Dir    string // its folder
	Cgroup string // above those of its nodes
}

// Files in a cluster's folder.
const (
	willFile  = "will.json"
	aliveFile = "alive" // locked while the cluster or its janitor lives
)

// janitor is the process that outlives a cluster and cleans up after it.
type janitor struct {
	will     will
	run      *exec.Cmd
	lifeline io.Closer
}

// hire starts the janitor of a new cluster, before there is anything to clean up. It is in a
// session of its own: what ends the group of this process does not reach it.
func hire(w will) (*janitor, error) {
	text, err := json.Marshal(w)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(w.Dir, willFile), text, 0o600); err != nil {
		return nil, err
	}
	path := filepath.Join(w.Dir, aliveFile)
	alive, err := os.Create(path + ".new")
	if err != nil {
		return nil, err
	}
	defer alive.Close() //nolint:errcheck // the janitor's copy keeps the lock
	err = errors.Join(unix.Flock(int(alive.Fd()), unix.LOCK_EX|unix.LOCK_NB), os.Rename(path+".new", path))
	if err != nil {
		return nil, err
	}
	j := &janitor{will: w, run: proc.Self()}
	j.run.Env = append(os.Environ(), envPart+"=janitor")
	j.run.Dir = "/"
	j.run.ExtraFiles = []*os.File{alive}
	j.run.Stderr = os.Stderr
	j.run.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if j.lifeline, err = j.run.StdinPipe(); err != nil {
		return nil, err
	}
	if err := j.run.Start(); err != nil {
		return nil, fmt.Errorf("node: the janitor: %w", err)
	}
	if err := json.NewEncoder(j.lifeline.(io.Writer)).Encode(w); err != nil {
		return nil, errors.Join(err, j.dismiss())
	}
	return j, nil
}

// dismiss has it clean up, and waits. If it cannot any more, because somebody killed it, this
// process cleans up.
func (j *janitor) dismiss() error {
	_ = j.lifeline.Close()
	if err := j.run.Wait(); err != nil {
		return errors.Join(fmt.Errorf("node: the janitor: %w", err), j.will.execute())
	}
	return nil
}

// runJanitor is the life of a janitor: it waits for the end of whoever hired it.
func runJanitor() error {
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGPIPE)
	var w will
	in := json.NewDecoder(os.Stdin)
	if err := in.Decode(&w); err != nil {
		return fmt.Errorf("node: a cluster has to start this process: %w", err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return w.execute()
}

// execute ends what runs and removes what is there. Processes are gone already as a rule: the
// kernel ends them with the one that started them.
func (w will) execute() error {
	groups, err := findCgroups()
	if err != nil {
		return fmt.Errorf("node: %w", err)
	}
	if !strings.HasPrefix(w.Cgroup, "hotseat-") || strings.Contains(w.Cgroup, "/") || !filepath.IsAbs(w.Dir) {
		return fmt.Errorf("node: not a cluster's: %+v", w)
	}
	groups.thawAll(w.Cgroup) // the frozen do not die
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		pids := groups.processes(w.Cgroup)
		if len(pids) == 0 {
			break
		}
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.Join(groups.remove(w.Cgroup), removeAll(w.Dir))
}

// removeAll removes a folder in which processes that are about to end may still write.
func removeAll(dir string) (err error) {
	for range 50 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("node: %w", err)
}

// sweep cleans up after clusters below a folder whose processes and janitors are gone. It says how
// many there were.
func sweep(ctx context.Context, runs string) (n int, err error) {
	dirs, err := filepath.Glob(filepath.Join(runs, "*", aliveFile))
	if err != nil {
		return 0, err
	}
	for _, path := range dirs {
		swept, failed := sweepOne(filepath.Dir(path))
		if swept {
			n++
		}
		err = errors.Join(err, failed, context.Cause(ctx))
	}
	return n, err
}

func sweepOne(dir string) (swept bool, err error) {
	if lives(dir) {
		return false, nil
	}
	text, err := os.ReadFile(filepath.Join(dir, willFile))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil // its janitor was faster
	}
	if err != nil {
		return false, err
	}
	var w will
	if err := json.Unmarshal(text, &w); err != nil {
		return false, fmt.Errorf("node: %s: %w", willFile, err)
	}
	return true, w.execute()
}

// lives reports whether somebody is there who will clean up a cluster's folder.
func lives(dir string) bool {
	alive, err := os.Open(filepath.Join(dir, aliveFile))
	if err != nil {
		return false
	}
	defer alive.Close() //nolint:errcheck // only locked
	return unix.Flock(int(alive.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil
}
