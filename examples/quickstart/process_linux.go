package main

import "syscall"

// dieWithParent has the kernel kill the replica with the story, even a frozen
// one in a session whose orphans nobody wakes. The kernel watches the thread
// that forked; Go ends threads only with goroutines locked to them, and there
// are none.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
