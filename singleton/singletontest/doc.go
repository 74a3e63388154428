// Package singletontest helps to test services that use package singleton. It has a Kubernetes API
// server inside the test's process, with one Lease, and a network that breaks on demand.
//
//	c := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
//	defer c.Close()
//	// start replica "a" with c.Client("a"), and replica "b" with c.Client("b")
//	c.Link("a").BlackHole() // a is partitioned; b takes over
//
// [Storm] plays ten such scripts on a service. It fails the test if two replicas are at work at
// once, or if nobody is at work for too long.
//
// Everything works inside a [testing/synctest] bubble, where faults that last minutes take no time.
// For replicas in separate processes, [Cluster.Listen] serves the cluster over loopback sockets.
//
// The server answers for Leases as kube-apiserver 1.37 does. It has no server-side apply and no
// DELETE of collections. It also keeps Pods, Services and EndpointSlices, but no controller acts on
// them, and of the rules for them it knows only a few.
package singletontest
