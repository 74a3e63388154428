//go:build unix && !linux

package services

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// descendants: only Linux tells. The servers' processes end when their parent does.
func descendants(int) []int { return nil }

func awaitEnd([]int) {}
