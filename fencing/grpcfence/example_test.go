package grpcfence_test

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/grpcfence"
)

// The server: one process in front of the data.
func ExampleServer() {
	guard, err := fencing.NewMemory(fencing.MemoryConfig{})
	if err != nil {
		panic(err)
	}
	guarded, err := grpcfence.NewServer(grpcfence.ServerConfig{
		Guard:  guard,
		Scope:  fencing.Scope("shop", "invoicer"),
		Fenced: func(method string) bool { return method != "/shop.Invoices/List" },
	})
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer(guarded.ServerOptions()...)
	guarded.Register(server) // announced to by grpcfence.Remote
	// register your services; their handlers' contexts end when a newer term arrives
	server.Stop()
}

// A replica: the guard goes into singleton.Config.Guards, the connection to work's stubs.
func ExampleRemote() {
	conn, err := grpc.NewClient("ledger:443", append(grpcfence.DialOptions(), grpc.WithTransportCredentials(credentials.NewTLS(nil)))...)
	if err != nil {
		panic(err)
	}
	defer func() { _ = conn.Close() }()
	guards := []fencing.Guard{grpcfence.NewRemote(conn)}
	_ = guards
}
