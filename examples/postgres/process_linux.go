package main

import "syscall"

// attributes: Ctrl-C is for the story alone, and no replica outlives it, not even
// a frozen one.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
