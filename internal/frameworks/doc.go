// Package frameworks tests hotseat under the electors and frameworks that people already run: a real
// controller-runtime manager and client-go's LeaderElector, on a real API server.
package frameworks

import (
	_ "sigs.k8s.io/controller-runtime"

	_ "github.com/hotseat-go/hotseat/singleton"
)
