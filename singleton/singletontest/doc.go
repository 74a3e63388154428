// Package singletontest tests services that use package singleton: a Kubernetes API server inside
// the test's process, with one Lease, and a network that breaks when told to.
//
//	c := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
//	defer c.Close()
//	// start replica "a" with c.Client("a"), and replica "b" with c.Client("b")
//	c.Link("a").BlackHole() // a is partitioned; b takes over
//
// [Storm] plays ten such scripts over a service, and fails where two replicas are at work or
// nobody is for too long.
//
// Everything works inside a [testing/synctest] bubble, where faults that last minutes take no time;
// and over loopback sockets, for replicas that are processes of their own, with [Cluster.Listen].
//
// The server answers for Leases as kube-apiserver 1.37 does. It has no server-side apply and no
// DELETE of collections.
package singletontest
