//go:build !unix

// Command http freezes processes with Unix signals, which this system lacks.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "http: run it on Linux, macOS or WSL")
	os.Exit(1)
}
