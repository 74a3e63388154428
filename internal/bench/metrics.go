package main

import (
	"bufio"
	"bytes"
	"strconv"
	"strings"
	"testing"
)

// metrics is a scrape in Prometheus' text format.
type metrics []byte

// sum adds up the series of that name whose labels contain each of the given
// pairs (`operation="update"`).
func (m metrics) sum(name string, labels ...string) float64 {
	var sum float64
	lines := bufio.NewScanner(bytes.NewReader(m))
	lines.Buffer(nil, 1<<20)
next:
	for lines.Scan() {
		series, value, ok := strings.Cut(lines.Text(), "} ")
		found, pairs, labelled := strings.Cut(series, "{")
		if !ok || !labelled || found != name {
			continue
		}
		for _, pair := range labels {
			if !strings.Contains(","+pairs+",", ","+pair+",") {
				continue next
			}
		}
		if v, err := strconv.ParseFloat(strings.Fields(value)[0], 64); err == nil {
			sum += v
		}
	}
	return sum
}

// scrape asks the API server.
func (s *server) scrape(t *testing.T) metrics {
	t.Helper()
	text, err := s.Admin().Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// served is what the API server has counted of Leases, whoever asked; it has one
// of its own.
type served struct {
	etcd  float64 // writes to etcd
	bytes float64 // of bodies read or watched; it does not count those of writes
}

func (s *server) served(t *testing.T) served {
	t.Helper()
	m := s.scrape(t)
	out := served{bytes: m.sum("apiserver_response_sizes_sum", `resource="leases"`) + m.sum("apiserver_watch_events_sizes_sum", `resource="leases"`)}
	for _, operation := range []string{"create", "update", "delete"} {
		out.etcd += m.sum("etcd_requests_total", `operation="`+operation+`"`, `resource="leases"`)
	}
	return out
}
