// Package grpcfence carries fencing tokens over gRPC and refuses calls of yesterday's leader. A module of its own, so
// that gRPC stays out of the library's dependencies.
//
//	replica                                               server, one process in front of one resource
//	UnaryClient, StreamClient  -- fencing-token: ... ---> Server.ServerOptions --> your handler
//	Remote                     -- Announce ------------>  Server.Register
//
// In each replica, the client interceptors stamp what work calls with the token in its context, and [Remote], listed in
// singleton.Config.Guards, announces each term before its work starts. At the server, [Server] judges the token, keeps the
// handler's work in flight at the guard, and ends it when a newer term arrives.
//
// # Wire form
//
// The metadata key fencing-token has one value, the text form of [fencing.Token]:
//
//	fencing-token: shop/invoicer@42.9f86d081884c7d659a2feaa0c55ad015
//
// [fencing.ParseToken] takes no second text for a token; a second value is malformed.
//
// # Answers
//
// The status has a google.rpc.ErrorInfo of domain hotseat-go.github.io; its reason tells a refusal from the handler's own
// status, and highWater in its metadata is the token that won:
//
//	FAILED_PRECONDITION  FENCING_STALE        a newer term was admitted; highWater
//	ABORTED              FENCING_CONFLICT     another term has this epoch; highWater
//	INVALID_ARGUMENT     FENCING_MISSING      no token, and the method needs one
//	INVALID_ARGUMENT     FENCING_MALFORMED    not the form above, or more than one
//	INVALID_ARGUMENT     FENCING_SCOPE        a token of another Lease
//	INTERNAL             FENCING_WIRING       the server's own guard is wired wrongly
//	UNAVAILABLE          FENCING_UNAVAILABLE  the guard cannot decide, or older work is still in flight
//
// The client interceptors turn these back into the errors of package fencing; [status.FromError] finds the status too.
// FENCING_STALE also ends a call whose handler was admitted and then overtaken: what it did before stays done. That of a stream
// may have returned nil: nobody could tell a stream that was cut short from a whole one. If that handler waits for the client just then, the status is CANCELLED and the trailer fencing-high-water has the token that
// won; to a client of this package it is the same.
//
// # What is not guaranteed
//
//   - A call without an answer says nothing: it may have taken effect, or may yet.
//   - What a handler starts and leaves behind is not followed.
//   - A handler that ignores its context, and blocks elsewhere than in its stream, delays the successor's announcement;
//     the guard answers that with UNAVAILABLE and never admits both.
//   - A stream keeps the token it was opened under. Open it again after Term.Raise.
//   - A token proves nothing about its sender. Authenticate first: whoever presents a high epoch locks the others out.
package grpcfence
