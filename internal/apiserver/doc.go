// Package apiserver runs a Kubernetes API server for Leases inside the process, with a network that
// breaks when told to. The tests of hotseat stand on it, and so does the public
// singleton/singletontest, which shows what a service's test needs of it.
//
//	c := apiserver.New(apiserver.Options{})
//	defer c.Close()
//	a, b := c.Client("a"), c.Client("b")
//	...
//	c.Link("a").BlackHole() // a is partitioned; b takes over
//
// The server answers as kube-apiserver 1.37 does: compare-and-swap on resourceVersion and UID,
// validation, error bodies, watches with bookmarks and 410 Gone, protobuf and JSON. It keeps no
// managedFields, cuts no pages, and has no server-side apply (415) and no DELETE of collections
// (405).
//
// It also keeps Pods, Services and EndpointSlices, for the packages around the elector. It knows
// only some of the rules for these, and no controller acts on them.
//
// Everything works inside a [testing/synctest] bubble, where faults that last minutes take no time;
// and over loopback sockets, for replicas that are processes of their own, with [Cluster.Listen]. A
// client made from a kubeconfig file is anonymous there: client-go sends a file's credentials over
// TLS only.
package apiserver
