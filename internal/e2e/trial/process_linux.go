package trial

import "syscall"

// dieWithParent has the kernel kill the replica with the trial. The kernel
// watches the thread that forked; Go ends threads only with goroutines locked
// to them, and those that start replicas are not.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
