package main

import (
	"encoding/json"
	"time"

	"github.com/hotseat-go/hotseat/internal/proc"
)

// stopGrace is how long a replica may take to stop before it is killed.
const stopGrace = 5 * time.Second

// process is one running replica.
type process struct {
	*proc.Process
	name string
}

// startProcess runs this binary again as a replica that reports to j.
func startProcess(config replicaConfig, j *journal) (*process, error) {
	var pid int
	note := func(what kind, text string) {
		j.add(event{Kind: what, Replica: config.Name, PID: pid, Text: text})
	}
	child, err := proc.Start(proc.Self(replicaArg), proc.Options{
		Tell: config,
		Started: func(id int) {
			pid = id
			note(kindStarted, "")
		},
		Out: func(line []byte) {
			var e event
			if err := json.Unmarshal(line, &e); err != nil {
				note(kindLog, string(line))
				return
			}
			j.add(e)
		},
		Err: func(line []byte) { note(kindLog, string(line)) },
		Ended: func(how error) {
			text := "exit status 0"
			if how != nil {
				text = how.Error()
			}
			note(kindExited, text)
		},
	})
	if err != nil {
		return nil, err
	}
	return &process{child, config.Name}, nil
}
