//go:build unix && !linux

package trial

import "syscall"

func dieWithParent(*syscall.SysProcAttr) {}
