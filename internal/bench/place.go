package main

import (
	"testing"

	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/scenario"
)

// place is where an elector is measured in real time: the in-process server on
// loopback, or a real control plane.
type place interface {
	// account is the configuration of a client of that name, with no rate limit.
	account(name string) *rest.Config
	createLease(t testing.TB, name string)
}

// unheldLease is one as manifests ship it.
func unheldLease(name string) *coordv1.Lease {
	l := &coordv1.Lease{}
	l.Namespace, l.Name = scenario.Namespace, name
	return l
}
