// Package controlplane runs a real Kubernetes control plane for tests: the
// kube-apiserver, on request the controller manager and the scheduler, and etcd,
// all built from their Go modules, each a process on loopback that can be
// killed, frozen, restarted, and restored from a backup.
//
// In etcd's place there can be kine on a database.
//
// The modules they are built from (testdata/kube, testdata/etcd, testdata/kine) are modules of
// their own: nothing of them reaches a user's go.sum. Binaries are built once,
// which takes minutes, and kept by package fromsource.
//
// RBAC is on, connections are TLS, etcd syncs to disk: as in a cluster.
package controlplane
