package grpcserving_test

import (
	"context"

	"google.golang.org/grpc"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/grpcserving"
	"github.com/hotseat-go/hotseat/singleton/serving"
)

// A service whose calls are answered on the active only.
func ExampleServer_ServerOptions() {
	run := func(ctx context.Context, elector *singleton.Elector, work singleton.Work) error {
		gate := serving.NewGate(elector)
		server := grpc.NewServer(grpcserving.New(gate, grpcserving.Config{}).ServerOptions()...)
		defer server.Stop()
		// Register the services, and go server.Serve(listener).
		return elector.Run(ctx, gate.Work(work))
	}
	_ = run
	// Output:
}
