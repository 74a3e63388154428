package main

import (
	"testing"

	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

// double is the in-process server: HTTP without TLS, no disk.
type double struct {
	*apiserver.Cluster
	url string
}

// newDouble returns one that is closed with the test.
func newDouble(t testing.TB) *double {
	t.Helper()
	c := apiserver.New(apiserver.Options{})
	t.Cleanup(c.Close)
	url, err := c.Listen()
	if err != nil {
		t.Fatal(err)
	}
	return &double{Cluster: c, url: url}
}

func (d *double) account(name string) *rest.Config {
	return &rest.Config{Host: d.url, BearerToken: name, QPS: -1}
}

func (d *double) createLease(t testing.TB, name string) {
	t.Helper()
	createLease(t, d.Cluster, name)
}
