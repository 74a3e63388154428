// Package apistore is what an API server stores, as plain data: objects under one revision counter, how
// they came to be so, and the conditions that kube-apiserver puts on a write. The test server of package
// apiserver and the API server of the simulator are layers over it, each with its own requests,
// locks, caches and lies; internal/leasetest and a test of the simulator hold them to one contract.
//
// Nothing here has a lock, a clock or a goroutine.
package apistore
