//go:build unix && !linux

package main

import "syscall"

// attributes: Ctrl-C is for the story alone.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
