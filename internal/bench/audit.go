package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/hotseat-go/hotseat/internal/scenario"
)

// auditPolicy logs what is asked about the Leases under test, and nothing else.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  namespaces: [` + scenario.Namespace + `]
  resources: [{group: coordination.k8s.io, resources: [leases]}]
- level: None
`

// request is one that the API server's audit log tells of.
type request struct {
	verb, user string
	asked      time.Time
}

func (r request) read() bool  { return r.verb == "get" || r.verb == "list" }
func (r request) watch() bool { return r.verb == "watch" }
func (r request) write() bool { return !r.read() && !r.watch() }

// requests are a log's.
type requests []request

// readAudit reads a log; a line that is still being written is left out.
func readAudit(path string) (requests, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var all requests
	for lines := json.NewDecoder(f); ; {
		var line struct {
			Stage, Verb string
			User        struct{ Username string }
			Asked       time.Time `json:"requestReceivedTimestamp"`
		}
		if err := lines.Decode(&line); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return all, nil
			}
			return nil, err
		}
		// A watch is logged when it starts, and again when it ends.
		if (line.Verb == "watch") == (line.Stage == "ResponseStarted") {
			user := line.User.Username[strings.LastIndex(line.User.Username, ":")+1:]
			all = append(all, request{verb: line.Verb, user: user, asked: line.Asked})
		}
	}
}

// where returns those that match.
func (all requests) where(match func(request) bool) requests {
	var out requests
	for _, r := range all {
		if match(r) {
			out = append(out, r)
		}
	}
	return out
}

// within returns those that were received from from on and before to.
func (all requests) within(from, to time.Time) requests {
	return all.where(func(r request) bool { return !r.asked.Before(from) && r.asked.Before(to) })
}

func (all requests) count(match func(request) bool) int { return len(all.where(match)) }

// load is the rates over a window.
func (all requests) load(window time.Duration) load {
	rate := func(match func(request) bool) float64 { return float64(all.count(match)) / window.Seconds() }
	return load{writes: rate(request.write), reads: rate(request.read), watches: rate(request.watch)}
}
