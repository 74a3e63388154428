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
//     seconds on the Lease translated at its wire; a wall clock that is off is a
//     translation of the times on the Lease (conn.go).
//   - A frozen node sends, hears and works nothing until it thaws; timers go on,
//     since a bubble has one clock. Its work writes once more after the thaw,
//     not knowing of the time that passed.
//   - A crashed process goes on in the bubble, cut off: it reaches nothing, and
//     is not counted.
//   - Most runs use a memory server (store.go, held against singletontest by a
//     test); one in fifty goes through client-go's REST client to singletontest.
//
// # What is checked
//
// No two at work, nor two valid terms; a context ends RenewDeadline after its
// last acknowledged write at the latest; epochs grow; nobody writes over
// another's record or releases before its work returned; the guard decides as an
// exact one would (its calls are events, so their order is known and no search
// for one is needed); stale writes are refused; every request has a deadline;
// somebody is active soon after the last fault; and then only renewals are sent.
//
// # What is not held against hotseat
//
// Overlap with a process that was frozen or whose work was made to outstay its
// budget: that is what the guard is for. Overlap with a client-go candidate.
// Repeated epochs and overwritten records after a restore without a revision
// bump: resource versions come again there. A process that first sees the Lease
// after a restore from a backup in which nobody held it. And a standby that lost
// watch events without notice needs some RetryPeriods more to take over: it
// looks again when it has heard nothing for that long.
package sim
