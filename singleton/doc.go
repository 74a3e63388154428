// Package singleton keeps exactly one replica of a service active while the
// others stand by, warm: an election on a coordination.k8s.io Lease that gives
// every term of leadership a fencing token.
//
//	elector, err := singleton.New(client, singleton.Config{Name: "invoicer"})
//	...
//	err = elector.Run(ctx, func(ctx context.Context, term *singleton.Term) error {
//		return invoices.Loop(ctx) // one replica at a time is here
//	})
//
// # Guarantees
//
// G1, one at a time: no two replicas' work overlaps, if the clocks of two nodes run
// at rates within MaxClockDrift of each other, processes are not frozen, and work
// returns within its stop budget after its context ends. This holds for any delay,
// loss or reordering of the API server's answers, any outage of it, any edit or
// deletion of the Lease, and any skew of wall clocks, but for the exceptions below.
//
// G2, tokens only grow: each term's epoch is greater than every earlier term's.
//
// G3, stale writes are refused: also when the assumptions of G1 break, a guard
// (package fencing) that knows token n refuses every token below n, and each
// term's token is announced to Config.Guards before its work starts.
//
// G4, always one again: after faults end, a replica is active within
// LeaseDuration + 0.5 s, and no process had to exit. A fault lasts until its last
// effect is noticed: a lost request is asked again after RenewDeadline/4; a silent
// watch is noticed after two to three RetryPeriods, and a claim made meanwhile is
// waited out from then. A server that answers slowly is no fault: with the verb patch
// a term goes on while two writes in a row fit into RenewDeadline.
//
// # Exceptions to G1
//
// Two replicas can be at work in these cases; the tests named TestException show
// them.
//
//   - A process is frozen in the middle of a request that carries no token, and
//     finishes it when it thaws.
//   - A Lease is deleted and shipped anew while its holder is cut off. A process that
//     never saw the term takes it for a first install.
//   - An etcd was restored from a backup, less than a LeaseDuration ago. A replica
//     that was not shown what the backup lacks may take the Lease beside its holder,
//     until that one learns of it: one that was cut off, or whose acquire was on its
//     way, or a new one, unless the backup was marked compacted. Under an API server
//     that went on running, a holder whose own term the backup lacks may take its seat
//     back beside such a replica, if the Lease is then deleted or cleared.
//   - A candidate with client-go's elector on the same Lease keeps client-go's rules.
//   - Replicas have different LeaseDurations. A standby waits for the longer of its own
//     and the one that is written, up to [lease.MaxLeaseDuration]. If an edit shortens
//     that under a holder that is cut off, a replica that never saw the longer one
//     waits for its own only.
//   - An edit forges a release that names the very version it replaces.
//
// An exception to G2: an epoch raised by hand above the store's revision is forgotten
// if the Lease, or the annotation, is removed while no process that saw it runs
// (Config.Fencing.Floor remembers).
//
// # States
//
//	                 released, or unchanged for a lease duration
//	warming -> standby ------------------------------> acquiring
//	             ^  ^                                   |   |
//	             |  +--------- somebody was faster -----+   | acknowledged in time
//	             |                                          v
//	          draining <---- lost, resigned, shut down -- active
//
// While active, and while draining unless the term was lost, the Lease is
// renewed each RetryPeriod. A renewal that is not answered holds up the next
// one for RenewDeadline/4 at most.
// Validity ends RenewDeadline after the sending of the last acknowledged write;
// a timer ends the work's context then, whatever else hangs. The proof that
// this keeps G1 is at [lease.Timing].
//
// # What ends a term
//
//	another holder or term seen                   at once
//	a higher epoch seen, written by hand          at once; released once work returned
//	Lease deleted, replaced, or holder cleared    at once; taken back as a new term once work returned
//	not renewed                                   RenewDeadline after the last good renewal was sent
//	Resign, or Run's context ends                 at once; the Lease is kept until work returned
//	a guard refuses the token, or is unavailable  before work starts
//	a guard has seen a later token                when it is told again
//	work returns or panics                        then, and Run returns or panics too
//
// Work that returns because its context ended, or because Valid turned false,
// has not returned by itself: Run stands by and calls it anew for the next term.
// A failed or conflicting request does not end a term on its own.
//
// # Cost
//
// The active writes once each RetryPeriod; every replica holds one watch.
// Standbys ask nothing else while their watch delivers; while no holder renews,
// they list each two to three RetryPeriods.
//
// A process that is a candidate for many Leases of one namespace, from about a
// hundred on, gives its electors one [SharedWatch]: they then hold one watch
// together, and a standby is one goroutine, the one that called Run, and, of a
// thousand, less than 20 kB. With a watch each it is four, and 60 to 70 kB.
//
// # Sources
//
// Gray and Cheriton, Leases (1989), for the timing; Burrows, The Chubby lock
// service (2006), for sequencers; the package comment of client-go's
// tools/leaderelection, for what skew and drift mean; KEP-5504, for comparable
// resource versions. The rules of the protocol are numbered in package lease. Decisions
// are in internal/docs/adr.
package singleton
