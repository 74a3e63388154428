//go:build unix

package main

import (
	"encoding/json"
	"os"
	"time"

	"github.com/hotseat-go/hotseat/internal/proc"
)

// stopGrace is how long a replica may take to stop before it is killed.
const stopGrace = 10 * time.Second

// process is one running replica.
type process struct {
	*proc.Process
	config replicaConfig
}

// startReplica runs this binary again as a replica; heard is called with what it
// reports, by one goroutine.
func startReplica(config replicaConfig, heard func(report)) (*process, error) {
	cmd := proc.Self(replicaArg)
	cmd.Stderr = os.Stderr
	child, err := proc.Start(cmd, proc.Options{Tell: config, Out: func(line []byte) {
		var r report
		if json.Unmarshal(line, &r) == nil {
			heard(r)
		}
	}})
	if err != nil {
		return nil, err
	}
	return &process{child, config}, nil
}
