// Package sim hunts for two actives. It plays whole clusters, replicas that run
// the real package singleton, an API server, the network between them and a
// guarded resource, through schedules of faults that a seed draws, and checks
// after every step what must always hold.
//
// # One seed, one run
//
// A run is a testing/synctest bubble: five minutes take some ten milliseconds.
// Everything that happens is an event of one goroutine, the driver (world.go):
// requests, answers, watch events, faults. It waits until all processes are
// blocked, takes one of the events that are due at that instant, as the seed
// chooses, and waits again. The pauses inside hotseat come from the seed too
// (internal/chance). So a seed gives one story, however many cores there are,
// and a failing one is shrunk to the few faults it needs. client-go's elector
// draws its jitter elsewhere: plans with it need not repeat exactly.
//
// # What is simulated, and how
//
//   - A node's clock of another rate is its durations scaled, and the whole
//     seconds on the Lease translated at its wire; a wall clock that is off, stands
//     still or runs backwards is a translation of the times on the Lease, in
//     bodies and in patches (clock.go).
//
//   - A frozen node sends, hears and works nothing until it thaws; timers go on,
//     since a bubble has one clock. Its work writes once more after the thaw,
//     not knowing of the time that passed.
//
//   - A crashed process goes on in the bubble, cut off: it reaches nothing, and
//     is not counted.
//
//   - In a third of the runs processes watch all Leases at once
//     (singleton.SharedWatch), in the others each its own.
//
//   - Most runs use a memory server (store.go, held against apiserver by a
//     test); one in fifty goes through client-go's REST client to apiserver.
//     LISTs and WATCHes are answered from a cache, which a restore under a running
//     API server leaves ahead of the store (cache.go).
//
//   - A server that takes its time answers in the end, and six tenths of
//     RenewDeadline at the most: that is no fault, and does not excuse that nobody
//     is active. What it costs a takeover, a few requests one after the other, is
//     granted (patience.go).
//
//   - The guard's server has a goroutine for each call, and effects take time, so
//     calls overlap. Work leaves some writes to an outbox that sends them late.
//
// # What is checked
//
// No two at work, nor two valid terms, with work or without; a term is over
// RenewDeadline after the sending of its last acknowledged write at the latest, in
// whatever order renewals that overlap are answered (a write that was answered
// with a lie is not acknowledged); epochs grow; nobody writes over another's record
// or releases before its work returned; the guard decides as an exact one would, at
// the step the decision falls in; what its clients saw of announced, checked and
// refused writes is linearizable (internal/linear, in the tests of this package, so that
// nothing links it); stale writes are refused; every request has a deadline;
// somebody is active soon after the last fault; and then only renewals are sent. In plans in
// which work hangs, it has to report progress (wedge.go): a term ends in time if its work hangs,
// and no other term ends as stalled.
// rules_test.go has a case in which each rule fires and one in which it must not;
// strikes_test.go counts that each fault has an effect.
//
// Beside that, each run tells for how long nobody, one and two were at work
// ([Share]); `make sim` sets that beside client-go's elector in the same
// schedules, in all and for each kind of fault, and in schedules of one fault each
// ([DrawAlone]). Where client-go's has exactly one for longer, a rule of ours costs
// that, and the table names it.
//
// # What is not held against hotseat
//
//   - Overlap with work that is frozen, or made to outstay its budget, once its
//     term is over: that is what the guard is for.
//   - Overlap with a client-go candidate that works on after its term, or that an
//     edit, a deletion, a restore or a lie misled to take the Lease.
//   - A restore from a backup, for a lease: a process that was not shown the term
//     or the renewals it wiped out has nothing that tells of them, a write sent
//     before it, an acquire or a release, may fit a version that has come back, and an active whose term it
//     wiped out, and whose Lease is deleted before it learns of that, takes the
//     deletion for one under its own term.
//   - A Lease deleted and shipped anew, for a lease, in favor of a process that
//     knows no other: nothing tells it that there was one. Whoever has been shown
//     an earlier Lease of that name has to wait, though others have come and gone
//     on the new one meanwhile.
//   - A restore without a revision bump, or bumped to where an earlier one was:
//     epochs of the new history may repeat those of the old one, and until
//     RenewDeadline later, what terms of the old one send may fit the new one's
//     resource versions. It makes no difference to either whether the API server
//     goes on running over it: what its cache shows for longer than a lease after
//     the restore excuses nothing.
//   - A request that a fault swallowed, until it times out, and a watch that died
//     without notice, until the standby looks again, within three RetryPeriods; a
//     lease more where a cache or a lie showed a Lease that is not there.
//
// Edits that put the Lease back to any body it ever had, replaces by the manifest,
// lies, single refusals, and wall clocks that stop or run backwards are held
// against it.
//
// The table leaves out overlap with whoever was ever frozen, for all electors
// alike; the stale writes of frozen work are counted instead.
package sim
