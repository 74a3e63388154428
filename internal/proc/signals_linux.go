package proc

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
)

// dieWithParent has the kernel kill the child when the thread that starts it ends, also a frozen one in a
// session whose orphans nobody wakes.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// descendants are the processes that pid started, and those that they started.
func descendants(pid int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if parent, _, ok := stat(child); ok {
			children[parent] = append(children[parent], child)
		}
	}
	var all []int
	for next := children[pid]; len(next) > 0; {
		all = append(all, next[0])
		next = append(next[1:], children[next[0]]...)
	}
	return all
}

// stat returns the parent and the state of a process; not ok when there is none.
func stat(pid int) (parent int, state byte, ok bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, false
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:]) // the name before it may hold anything
	if len(fields) < 2 {
		return 0, 0, false
	}
	parent, err = strconv.Atoi(string(fields[1]))
	return parent, fields[0][0], err == nil
}

// awaitEnd returns when killed processes hold nothing any more: gone, or a
// zombie that somebody else has to collect.
func awaitEnd(pids []int) {
	for _, pid := range pids {
		for {
			if _, state, ok := stat(pid); !ok || state == 'Z' || state == 'X' {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}
