// Package frameworks tests hotseat under what programs already elect with: a real manager of
// controller-runtime, on a real API server. Each script is played twice, once to hotseat behind the
// manager's own election and once to client-go's election, and both are in one table.
//
// It also tests what is around an elector there: component-base's flags, the registries of metrics,
// klog, and client-go's executors behind a write gate.
//
//	go test -short ./...   # what make test runs
//	make frameworks        # all of it, which writes RESULTS.md
package frameworks
