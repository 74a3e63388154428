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
// G1, one at a time: if the clocks of two nodes run at rates within
// MaxClockDrift of each other, processes are not frozen, and work returns
// within its stop budget after its context ends, then no two replicas' work
// overlaps: for any delay, loss or reordering of the API server's answers, any
// outage of it, any edit or deletion of the Lease, any skew of wall clocks.
//
// G2, tokens only grow: each term's epoch is greater than every earlier term's.
//
// G3, stale writes are refused: also when the assumptions of G1 break, a guard
// (package fencing) that knows token n refuses every token below n, and each
// term's token is announced to Config.Fences before its work starts.
//
// G4, always one again: after faults end, a replica is active within
// LeaseDuration + 0.5 s, and no process had to exit. A request that a fault
// swallowed counts as part of it until it times out, after RenewDeadline/4, and
// so does a watch that died without a word: a standby that hears nothing for two
// to three RetryPeriods looks again, and waits from then for a claim made
// meanwhile.
//
// Not guaranteed: effects that carry no token, from a process frozen in the
// middle of a request. To a process that has never seen the Lease held, a Lease
// shipped anew, or restored from a backup in which it was released, says that
// nobody is at work: whoever does that asserts it. An etcd restored from a backup
// forgets what it acknowledged: for a lease after it a replica that was behind, or
// whose write was on its way, or whose term it forgot and whose Lease is then
// deleted, may work beside the holder. Replicas configured with
// different LeaseDurations trust the one written. An epoch raised above the
// store's revision is forgotten if the Lease, or the annotation, is removed while
// no process that saw it runs (Config.Floor remembers). A candidate with
// client-go's elector on the same Lease keeps client-go's rules, not these.
//
// # States
//
//	                 released, or unchanged for a full lease
//	warming -> standby ------------------------------> acquiring
//	             ^  ^                                   |   |
//	             |  +--------- somebody was faster -----+   | acknowledged in time
//	             |                                          v
//	          draining <---- lost, resigned, shut down -- active
//
// While active and while draining the Lease is renewed each RetryPeriod.
// Validity ends RenewDeadline after the sending of the last acknowledged write;
// a timer ends the work's context then, whatever else hangs. The proof that
// this keeps G1 is at [lease.Timing].
//
// # What ends a term
//
//	another holder, term or a higher epoch seen   at once
//	Lease deleted, or its holder cleared          at once
//	not renewed                                   RenewDeadline after the last good renewal was sent
//	Resign, or Run's context ends                 at once; the Lease is kept until work returned
//	a fence refuses the token, or is unavailable  before work starts
//	a fence has seen a later token                when it is told again
//	work returns or panics                        then, and Run returns or panics too
//
// Work that returns because its context ended, or because Valid turned false,
// has not returned by itself: Run stands by and calls it anew for the next term.
// Failed and conflicting requests by themselves end nothing.
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
// resource versions. Decisions are in internal/docs/adr.
package singleton
