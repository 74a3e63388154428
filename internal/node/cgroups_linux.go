package node

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// needed are the controllers that a kubelet does not do without.
func needed() []string { return []string{"cpu", "cpuset", "memory", "pids"} }

// cgroups are the machine's hierarchies: one for each controller (version 1), or one for all.
type cgroups struct {
	roots   []string
	freezer string // the root of the hierarchy with which processes are frozen
	v2      bool
}

// findCgroups reads where they are mounted. It is an error when a node could not run on them.
func findCgroups() (c cgroups, err error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return c, err
	}
	var has []string
	for lines := bufio.NewScanner(strings.NewReader(string(text))); lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		where, how := strings.Fields(before), strings.Fields(after)
		if len(where) < 5 || len(how) < 3 || !strings.HasPrefix(how[0], "cgroup") {
			continue
		}
		root := where[4]
		c.roots = append(c.roots, root)
		controllers := strings.Split(how[2], ",")
		if how[0] == "cgroup2" {
			list, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
			if err != nil {
				return c, err
			}
			controllers = strings.Fields(string(list))
			c.v2 = c.v2 || slices.Contains(controllers, "memory")
		}
		if slices.Contains(controllers, "freezer") || c.v2 {
			c.freezer = root
		}
		has = append(has, controllers...)
	}
	for _, controller := range needed() {
		if !slices.Contains(has, controller) {
			return c, fmt.Errorf("no cgroup controller %s", controller)
		}
	}
	if c.freezer == "" {
		return c, errors.New("no cgroup controller freezer")
	}
	for _, root := range c.roots {
		if err := unix.Access(root, unix.W_OK); err != nil {
			return c, fmt.Errorf("%s: %w", root, err)
		}
	}
	return c, nil
}

// create makes a cgroup, and those above it, for processes or for further cgroups.
func (c cgroups) create(name string) error {
	for _, root := range c.roots {
		path := root
		for part := range strings.SplitSeq(name, "/") {
			above := path
			path = filepath.Join(path, part)
			if err := os.MkdirAll(path, 0o755); err != nil {
				return err
			}
			if err := c.fill(above, path); err != nil {
				return fmt.Errorf("node: cgroup %s: %w", path, err)
			}
		}
	}
	return nil
}

// fill gives a new cgroup what it does not have by itself: a cpuset is empty (version 1), and
// controllers are off (version 2).
func (c cgroups) fill(above, path string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(above, name))
		if errors.Is(err, fs.ErrNotExist) || c.v2 {
			break
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(path, name), value, 0o644); err != nil {
			return err
		}
	}
	if !c.v2 {
		return nil
	}
	on := "+" + strings.Join(needed(), " +")
	return os.WriteFile(filepath.Join(above, "cgroup.subtree_control"), []byte(on), 0o644)
}

// add puts a process into a cgroup of the freezer's hierarchy.
func (c cgroups) add(name string, pid int) error {
	path := filepath.Join(c.freezer, name, "cgroup.procs")
	return os.WriteFile(path, []byte(strconv.Itoa(pid)), 0o644)
}

// freeze stops all processes below a cgroup, or lets them go on.
func (c cgroups) freeze(name string, frozen bool) error {
	file, values := "freezer.state", []string{"THAWED", "FROZEN"}
	if c.v2 {
		file, values = "cgroup.freeze", []string{"0", "1"}
	}
	value := values[0]
	if frozen {
		value = values[1]
	}
	path := filepath.Join(c.freezer, name, file)
	if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	for end := time.Now().Add(10 * time.Second); frozen && time.Now().Before(end); {
		if c.isFrozen(name) {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	if frozen {
		return fmt.Errorf("node: %s did not freeze", name)
	}
	return nil
}

func (c cgroups) isFrozen(name string) bool {
	file, want := "freezer.state", "FROZEN"
	if c.v2 {
		file, want = "cgroup.events", "frozen 1"
	}
	text, err := os.ReadFile(filepath.Join(c.freezer, name, file))
	return err == nil && strings.Contains(string(text), want)
}

// thawAll lets all processes below a cgroup go on, whichever part of it is frozen.
func (c cgroups) thawAll(name string) {
	_ = filepath.WalkDir(filepath.Join(c.freezer, name), func(path string, d fs.DirEntry, err error) error {
		if below, is := strings.CutPrefix(path, c.freezer+"/"); is && err == nil && d.IsDir() {
			_ = c.freeze(below, false)
		}
		return nil
	})
}

// processes are those in a cgroup and below it whose path has all the words.
func (c cgroups) processes(name string, words ...string) (pids []int) {
	for _, root := range c.roots {
		_ = filepath.WalkDir(filepath.Join(root, name), func(path string, d fs.DirEntry, err error) error {
			lacks := func(word string) bool { return !strings.Contains(path, word) }
			if err != nil || d.Name() != "cgroup.procs" || slices.ContainsFunc(words, lacks) {
				return nil // what has just gone has no processes
			}
			text, _ := os.ReadFile(path)
			for word := range strings.FieldsSeq(string(text)) {
				if pid, err := strconv.Atoi(word); err == nil && pid > 0 && !slices.Contains(pids, pid) {
					pids = append(pids, pid)
				}
			}
			return nil
		})
	}
	return pids
}

// remove takes a cgroup away with all below it, once the processes in it are gone.
func (c cgroups) remove(name string) (err error) {
	for end := time.Now().Add(20 * time.Second); ; {
		if err = c.removeNow(name); err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (c cgroups) removeNow(name string) error {
	var all error
	for _, root := range c.roots {
		var dirs []string
		_ = filepath.WalkDir(filepath.Join(root, name), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for _, dir := range slices.Backward(dirs) {
			if err := unix.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				all = errors.Join(all, fmt.Errorf("node: cgroup %s: %w", dir, err))
			}
		}
	}
	return all
}
