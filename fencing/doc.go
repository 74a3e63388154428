// Package fencing refuses the writes of yesterday's leader.
//
// An elector makes one replica active at a time, as long as clocks run at about one rate and processes run at all.
// A process that is frozen, or a virtual machine that is suspended, between "am I still active?" and the write
// breaks that: it wakes up minutes later and finishes the write, beside its successor. No lease and no check in the
// writing process can prevent it. The resource that is written to can, if each write says which term it belongs to:
//
//	active n                       guard (mark)                    active n+1
//	   | Announce(n) ---------------> n
//	   | write, n    ---------------> n       ok
//	   | ... frozen ...               n+1 <-----------  Announce(n+1) |
//	   |                              n+1     ok <----  write, n+1    |
//	   | write, n    ---------------> n+1     refused: *StaleError
//
// # Token
//
// A [Token] is the Lease it belongs to (its [Scope]), an epoch that is greater for each later term, and the random id of the term.
// The elector makes it, puts it into the work's context, and the work passes it on with each write: [FromContext], then a
// header, a column, a field. The text form is a string in JSON too, so that no reader rounds the epoch.
//
// # Guard
//
// A [Guard] checks tokens at the resource. It keeps the highest one it has seen per scope, its mark, and refuses anything
// lower. The elector announces each new token to its guards before the work starts, so an old active is fenced off from
// that moment, not only from the successor's first write.
//
// Comparing numbers is the easy half. A stale request may pass the comparison, be parked, and take effect after a newer
// term began. A guard closes that gap by making check and effect one atomic step, as a database transaction does, or
// by following work in flight, as [Memory.Enter] does: a newer token ends older work and waits for it before it is admitted.
//
// A refusal is an error to whoever writes; [KindOf] says in one word what it means. [Report] also tells the elector, which
// may end the term by it.
// [AllowUnfenced] is the one way to write without a token. To write a guard of your own, follow [Guard], and run
// package fencingtest.
//
// # What is not guaranteed
//
//   - Effects that pass no guard are not fenced: an e-mail, a request to a service that ignores tokens.
//   - A guard is as durable as its store. [Memory] forgets on restart; [Durable] does not, but a restored store has an old
//     mark. Until the current term is announced again, which the elector does now and then, such a guard may admit an old token.
//   - Work that ignores its context delays its successor: the guard waits and answers [ErrUnavailable], and
//     never admits both.
//   - Tokens are not secrets and prove nothing about the sender. Whoever may reach a guard can present any epoch.
//
// # When a mark is lost or poisoned
//
// A guard whose mark is too high refuses every term with [ErrStale], one whose mark is damaged everything with [ErrUnavailable]; one whose
// mark got lost says nothing. What to do, guard by guard: internal/docs/guards.md in this repository.
//
// # Sources
//
// Burrows, "The Chubby lock service for loosely-coupled distributed systems" (2006), section 2.4: sequencers.
// Kleppmann, "How to do distributed locking" (2016): fencing tokens, and why a lease alone is not enough.
package fencing
