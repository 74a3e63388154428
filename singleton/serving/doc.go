// Package serving lets only the active replica serve requests. It uses the standard library and
// package singleton only.
//
//	gate := serving.NewGate(elector)
//	mux.Handle("/active", elector.RoleHandler())       // for load balancers
//	mux.Handle("/invoices/", gate.RequireActive(invoices)) // an http.Handler
//	server := &http.Server{Handler: mux, ConnState: gate.ConnState}
//	...
//	err = elector.Run(ctx, gate.Work(work))
//
// The gate is open from the moment at which work is called until the term ends. When it opens,
// guards have accepted the term's token, and OnAcquire has returned.
//
// # What RequireActive does
//
//  1. Before the handler runs, the term must be valid. Else the answer is 503.
//  2. The handler's context ends with the term, and carries the term's token
//     ([fencing.FromContext]). If the handler reports a guard's refusal of a stale write, the term
//     ends.
//  3. Before the first byte of the answer leaves, the term must still be valid. Else the answer is
//     503 instead. To make that possible, up to 2 KiB are held back until the handler returns or
//     flushes. A longer answer is flushed when it exceeds 2 KiB, and each later write checks the
//     term again.
//  4. When the term ends, reads of the request's body fail, and so do writes of an answer that has
//     begun. That includes reads and writes that are blocked already. If the answer may be
//     incomplete, it is aborted with [http.ErrAbortHandler]. A hijacked connection is closed, and
//     takes no more writes.
//  5. Work returns only after every handler has, and after hijacked connections are closed. So the
//     Lease is kept for them, and no handler runs at the same time as the next active replica's
//     work. A handler has the same stop budget as work.
//
// A 503 has these header fields. Its body is JSON (problem details, RFC 9457), and also says
// whether the handler ran.
//
//	Retry-After: 1
//	Connection: close
//	Cache-Control: no-store
//	Hotseat-Holder: invoicer-1_6f02c1e9a4b8d375    (left out if nobody is seen on the Lease)
//
// # What is not guaranteed
//
//   - If the handler ran, what it did stays done, whatever the answer. The body of the 503 then has
//     "handled": true. So let a proxy repeat only requests that may be repeated.
//   - Microseconds pass between the last check of the term and the write to the network. A process
//     that is frozen just then sends its answer when it thaws.
//   - What a handler starts and leaves behind is not followed: goroutines, or the handler that
//     [http.TimeoutHandler] no longer waits for. So put a TimeoutHandler around RequireActive, not
//     inside it.
//   - A handler around RequireActive may pass on a ResponseWriter without Unwrap, as a
//     TimeoutHandler does. That hides the connection. Then the end of the term does not end reads
//     and writes that are blocked. They go on until the server's own timeouts, and work waits for
//     them. So set [http.Server]'s ReadTimeout below the stop budget.
//   - A graceful end is an end, too: requests in flight get 503. To let them finish, call
//     [http.Server.Shutdown] first, and end Run's context after that.
package serving
