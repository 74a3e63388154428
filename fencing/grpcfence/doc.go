// Package grpcfence carries fencing tokens over gRPC, and refuses calls of earlier terms. It is a
// separate module, so that gRPC stays out of the library's dependencies.
//
//	replica                                               server: one process, one resource
//	UnaryClient, StreamClient  -- fencing-token: ... ---> Server.ServerOptions --> your handler
//	Remote                     -- Announce ------------>  Server.Register
//
// In each replica, the client interceptors put the token from the context on each call of the work.
// [Remote], listed in singleton.Config.Guards, announces each term before its work starts. At the
// server, [Server] judges the token. It registers the handler's work with the guard as in flight,
// and ends that work when a newer term arrives.
//
// # Wire form
//
// The metadata key fencing-token has one value, the text form of [fencing.Token]:
//
//	fencing-token: shop/invoicer@42.9f86d081884c7d659a2feaa0c55ad015
//
// [fencing.ParseToken] accepts exactly one text for each token. A second value of the key is
// malformed.
//
// # Answers
//
// The status of a refusal has a google.rpc.ErrorInfo of domain hotseat-go.github.io. The reason
// distinguishes a refusal from the handler's own status. highWater in the metadata is the token
// that won:
//
//	FAILED_PRECONDITION  FENCING_STALE        a newer term was admitted; highWater
//	ABORTED              FENCING_CONFLICT     another term has this epoch; highWater
//	INVALID_ARGUMENT     FENCING_MISSING      no token, and the method needs one
//	INVALID_ARGUMENT     FENCING_MALFORMED    not the form above, or more than one
//	INVALID_ARGUMENT     FENCING_SCOPE        a token of another Lease
//	INTERNAL             FENCING_WIRING       the server's own guard is miswired
//	UNAVAILABLE          FENCING_UNAVAILABLE  the guard cannot decide, or older work has not left
//
// The client interceptors turn these back into the errors of package fencing. [status.FromError]
// still finds the status.
//
// FENCING_STALE also ends a call whose handler was admitted and then overtaken. What the handler
// did before then stays done. A stream ends with FENCING_STALE even if its handler returned nil:
// nobody could otherwise tell a stream that was cut short from a whole one. If the handler of a
// stream waits for the client just then, the status is CANCELLED, and the trailer
// fencing-high-water has the token that won. A client of this package treats both alike.
//
// # What is not guaranteed
//
//   - If no answer comes, the call may have taken effect, or may still do so.
//   - What a handler starts and leaves behind is not tracked.
//   - A handler that ignores its context, and blocks elsewhere than in its stream, delays the
//     successor's announcement. The guard answers the announcement with UNAVAILABLE. It never
//     admits both.
//   - A stream keeps the token that it was opened with. Open it again after Term.Raise.
//   - A token proves nothing about its sender. Authenticate first: whoever presents a high epoch
//     locks the others out.
package grpcfence
