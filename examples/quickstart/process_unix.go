//go:build unix

package main

import "syscall"

const (
	haveSignals = true

	signalTerminate = syscall.SIGTERM
	signalFreeze    = syscall.SIGSTOP
	signalContinue  = syscall.SIGCONT
)

// processAttributes puts a replica into a process group of its own: Ctrl-C in
// the terminal is for the story, which then stops its replicas in order. Should
// the story die while a replica is frozen, the system wakes the orphaned group
// and the replica meets the end of its standard input.
func processAttributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(attr)
	return attr
}
