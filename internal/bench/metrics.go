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

// etcdWrites is how often the API server has written a Lease to etcd, whoever
// asked; it has one of its own.
func (s *server) etcdWrites(t *testing.T) float64 {
	t.Helper()
	m := s.scrape(t)
	var sum float64
	for _, operation := range []string{"create", "update", "delete"} {
		sum += m.sum("etcd_requests_total", `operation="`+operation+`"`, `resource="leases"`)
	}
	return sum
}
