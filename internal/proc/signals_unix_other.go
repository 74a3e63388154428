//go:build unix && !linux

package proc

import "syscall"

func dieWithParent(*syscall.SysProcAttr) {}

// descendants: only Linux tells. A child's own processes get what its group gets.
func descendants(int) []int { return nil }

func awaitEnd([]int) {}
