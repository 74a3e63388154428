package main

import (
	"testing"

	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/scenario"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// place is where an elector is measured in real time: the in-process server on
// loopback, or a real control plane.
type place interface {
	// account is the configuration of a client of that name, with no rate limit.
	account(name string) *rest.Config
	createLease(t testing.TB, name string)
}

// double is the in-process server: HTTP without TLS, no disk.
type double struct {
	*singletontest.Cluster
	url string
}

// newDouble returns one that is closed with the test.
func newDouble(t testing.TB) *double {
	t.Helper()
	c := singletontest.New(singletontest.Options{})
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

// unheldLease is one as manifests ship it.
func unheldLease(name string) *coordv1.Lease {
	l := &coordv1.Lease{}
	l.Namespace, l.Name = scenario.Namespace, name
	return l
}
