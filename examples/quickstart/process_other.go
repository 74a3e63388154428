//go:build !unix

package main

import (
	"os"
	"syscall"
)

// Without SIGSTOP there is no story to tell; main says so.
const haveSignals = false

var (
	signalTerminate = os.Kill
	signalFreeze    = os.Kill
	signalContinue  = os.Kill
)

func processAttributes() *syscall.SysProcAttr { return nil }
