// Package fencing refuses the writes of earlier terms.
//
// An elector makes one replica active at a time, as long as clocks run at about the same rate and
// no process is frozen. Suppose that a process is frozen, or its virtual machine suspended, between
// "am I still active?" and the write. It wakes up minutes later and finishes the write, beside its
// successor. Only the resource that is written to can prevent that, and only if each write says
// which term it belongs to:
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
// A [Token] consists of a scope that names a Lease, an epoch that is greater for each later term,
// and the random id of the term. The elector makes the token and puts it into the work's context.
// Each write carries the token: in a header, a column or a field. Code that has a singleton.Term
// calls its method Token. Code that gets only a context, such as a client of a resource, calls
// [FromContext]. Both return the same token. In JSON a token is one string, so that no parser
// rounds the epoch.
//
// The scope of a token is [Scope](namespace, name) of the Lease. A guard needs the scope before
// there is an elector, because singleton.New takes the guards.
//
// # Guard
//
// A [Guard] keeps a mark for each scope: the highest token that it has seen. It refuses every lower
// token. The elector announces each new token to its guards before the work starts. So the previous
// active replica is shut out as soon as the new token is announced, even before its successor first
// writes.
//
// Comparing numbers is the easy half. A request may pass the comparison, be delayed, and take
// effect only after a newer term has begun. A guard closes that gap in one of two ways. It makes
// check and effect one atomic step, as a database transaction does. Or it tracks work in flight, as
// [Memory.Enter] does: a newer token ends older work, and is admitted only after that work has
// left.
//
// The writer gets a refusal as an error. [KindOf] says in one word what the error means. A guard's
// client also passes the error to [Report]. So the elector learns of the refusal, and may end the
// term. [AllowUnfenced] is the only way to write without a token. To write a guard of your own, do
// what [Guard] says, and test it with package fencingtest.
//
// # What is not guaranteed
//
//   - Effects that pass no guard are not fenced: an e-mail, or a request to a service that ignores
//     tokens.
//   - A guard is as durable as its store. [Memory] forgets its marks on restart. [Durable] does
//     not, but a restored store has an old mark. In both cases the guard may admit an old token
//     until the elector announces the current term again, which it does from time to time.
//   - Work that ignores its context delays its successor. The guard waits and then answers
//     [ErrUnavailable]. The guard never lets both run side by side.
//   - Tokens are not secrets and prove nothing about the sender. Whoever may reach a guard can
//     present any epoch.
//
// # When a mark is lost, damaged or too high
//
// What you see depends on the mark:
//   - Too high: the guard refuses every term with [ErrStale].
//   - Damaged: the guard refuses everything with [ErrUnavailable].
//   - Lost: there is no symptom. The guard accepts old tokens again until the current term is
//     announced.
//
// What to do, guard by guard, is in internal/docs/guards.md in this repository.
//
// # Sources
//
// Burrows, "The Chubby lock service for loosely-coupled distributed systems" (2006), section 2.4:
// sequencers. Kleppmann, "How to do distributed locking" (2016): fencing tokens, and why a lease
// alone is not enough.
package fencing
