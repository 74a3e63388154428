// Package node runs a real Kubernetes cluster on one machine for tests: a control plane of package
// controlplane, and nodes, each with a kubelet, containerd and runc, that lose power, freeze, and
// lose the API server when a test says so. Images come from no registry.
//
// # How it is made
//
// A node is a process in a PID, mount, network and UTS namespace of its own: this program once
// more, as process 1. Its end is a power loss: nothing in the node outlives it, but for its disk,
// which is a folder. In the node the machine's files can be read and not written, apart from that
// folder, and the settings of the kernel that a kubelet writes are copies.
//
// Two network namespaces connect the nodes. The API server is in one, and a node that is cut off
// from it is partitioned. The other one has the traffic of Pods to each other and to the test,
// which hears of everything during a partition also. Nothing leaves these namespaces, and no
// process holds them but the test's own.
//
//	10.99.0.1         the API server; 10.99.0.10+N node N there
//	10.98.0.1         the test; 10.98.0.10+N node N there
//	10.88.N.0/24      the Pods of node N
//	10.96.0.0/16      Services
//
// With [Options].Proxy each node has a kube-proxy, which leads the Services to their Pods. Without,
// they all lead to the API server, so that the Service kubernetes does.
//
// # What is left behind
//
// Nothing. All processes end with the test's process, however that ends: the kernel sees to it. A
// janitor, which is this program once more and outlives it, then removes cgroups and files. Should
// the janitor be killed too, the next cluster of this checkout, or `node down`, cleans up.
//
// # Clusters of one's own
//
// What needs no more than an API server and an image runs on any cluster. Write the image to a file,
// load it, and run the test:
//
//	go run ./node image hotseat.test/worker:1=github.com/hotseat-go/hotseat/examples/worker worker.tar
//	kind load image-archive worker.tar
//	KUBECONFIG=FILE HOTSEAT_WORKER_IMAGE=hotseat.test/worker:1 go test -run TestOwnCluster .
//
// # Machines
//
// It takes root, Linux, and the cgroup controllers cpu, cpuset, memory and pids. It has been run on
// version 1 of cgroups; for version 2, where all controllers are in one hierarchy, it is written and
// has not been run.
package node
