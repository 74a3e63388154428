//go:build unix

package main

import (
	"io"

	"github.com/hotseat-go/hotseat/internal/proc"
)

// replicaArg makes this binary one replica instead of the story.
const replicaArg = "replica"

// replicaConfig is what a replica is told, as one line on its standard input.
type replicaConfig struct {
	Name  string // also its user at the API server
	API   string // URL of the API server
	Store string // URL of the store
}

// start runs this binary again as a replica; what it says goes to out.
func start(config replicaConfig, out io.Writer) (*proc.Process, error) {
	cmd := proc.Self(replicaArg)
	cmd.Stdout, cmd.Stderr = out, out
	return proc.Start(cmd, proc.Options{Tell: config})
}
