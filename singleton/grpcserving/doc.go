// Package grpcserving lets gRPC calls in on the active replica, and only there. It is
// RequireActive of package serving for gRPC, and a module of its own, so that only those who import
// it require gRPC.
//
//	gate := serving.NewGate(elector)
//	server := grpc.NewServer(grpcserving.New(gate, grpcserving.Config{}).ServerOptions()...)
//	...
//	err = elector.Run(ctx, gate.Work(work))
//
// What holds for each call:
//   - Before the handler runs, the term must be valid. Else the call ends with UNAVAILABLE.
//   - The handler's context ends with the term, and carries the term's token.
//   - Before an answer leaves, the term must still be valid. Else the call ends with UNAVAILABLE
//     instead. For a stream this holds for its header and each message.
//   - When the term ends, calls of a stream's RecvMsg and SendMsg fail, also those that block
//     already ([Tap]). The client then sees UNAVAILABLE. If the handler was waiting for the client,
//     it may also see CANCELLED with the trailer hotseat-not-active.
//   - The term's work returns only after every handler has, so the Lease is kept for them.
//
// UNAVAILABLE has two details: a RetryInfo with one second, and an ErrorInfo with the reason
// NOT_ACTIVE, the domain hotseat-go.github.io and this metadata:
//
//	state    of this replica, as singleton.State has it
//	holder   of the Lease, as last seen; left out if there is none
//	handled  true if the handler ran: what it did stays done
//
// A client that repeats UNAVAILABLE calls by itself also repeats those that were handled. Let it
// repeat only what may be repeated.
//
// gRPC connections last long, and a client keeps sending its calls over the one that it has. Give
// clients the addresses of all replicas, and gRPC's own health checks: set the serving status in
// work, and take it back when work's context ends.
package grpcserving
