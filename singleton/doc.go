// Package singleton keeps at most one replica of a service active at a time, while the others stand
// by, warm, and replace it when it stops or fails. It is leader election for services on
// Kubernetes. It elects on a coordination.k8s.io Lease, and gives every term a fencing token.
//
//	client, err := singleton.DefaultClient()
//	...
//	elector, err := singleton.New(client, singleton.Config{Name: "invoicer"})
//	...
//	prometheus.MustRegister(elector)
//	http.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
//		if err := elector.Ready(); err != nil {
//			http.Error(w, err.Error(), http.StatusServiceUnavailable)
//		}
//	})
//	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
//	defer stop()
//	err = elector.Run(ctx, func(ctx context.Context, term *singleton.Term) error {
//		return invoices.Loop(ctx) // one replica at a time is here, until ctx ends
//	})
//
// A liveness probe asks [Elector.Live] in the same way. One registry takes the electors of many
// Leases, but not two of the same Lease. When the Pod is stopped, work has to return within its
// terminationGracePeriodSeconds: only then is the Lease released. In the repository,
// examples/deploy has the manifest, with the Lease and the RBAC rules.
//
// # Guarantees
//
// G1, one at a time. The work of two replicas never overlaps, as long as
//   - the clocks of any two nodes run at rates within MaxClockDrift of each other,
//   - no process is frozen, and
//   - work returns within its stop budget after its context ends.
//
// Apart from the exceptions below, this holds for any delay, loss or reordering of the API server's
// answers, any outage of it, any edit or deletion of the Lease, and any skew of wall clocks.
//
// G2, tokens only grow. Each term's epoch is greater than every earlier term's.
//
// G3, stale writes are refused. Even when the assumptions of G1 break, a guard (package fencing)
// that knows token n refuses every token below n. Each term's token is announced to Config.Guards
// before the term's work starts.
//
// G4, always one again. After faults end, a replica is active within LeaseDuration + 0.5 s, and no
// process had to exit. A fault lasts until its last effect is noticed:
//   - A lost request is sent again after RenewDeadline/4.
//   - A silent watch is noticed after two to three RetryPeriods. If another replica took the Lease
//     meanwhile, its lease duration is waited out from that moment on.
//
// A slow server is not a fault. With the verb patch, a term goes on while two writes in a row fit
// into RenewDeadline.
//
// # Exceptions to G1
//
// Two replicas can be at work in these cases; the tests named TestException show them.
//
//   - A process is frozen in the middle of a request that carries no token, and finishes it when it
//     thaws.
//   - A Lease is deleted and created again from its manifest while its holder is cut off. A process
//     that never saw the term takes the new Lease for a first install.
//   - etcd was restored from a backup less than a LeaseDuration ago. A replica that never saw the
//     changes missing from the backup may take the Lease while the old holder still works, until
//     the holder notices. That is a replica that was cut off, that had an acquire request in
//     flight, or that has just started (the last one only if etcd was restored without
//     --mark-compacted).
//   - etcd was restored in the same way while an API server went on running, and the backup lacks
//     the holder's own term. If the Lease is then deleted or cleared, that holder may take the
//     Lease again while a replica of the exception before works.
//   - A candidate on the same Lease uses client-go's elector. It keeps client-go's rules.
//   - Replicas have different LeaseDurations. A standby waits for the longer of its own and the
//     written one, up to [lease.MaxLeaseDuration]. If an edit shortens the written one while the
//     holder is cut off, a replica that never saw the longer one waits for its own only.
//   - Somebody writes a release annotation by hand that names the very resourceVersion which this
//     edit replaces.
//
// There is one exception to G2. Epochs come from the revision of the API server's store. Suppose
// that somebody raises an epoch by hand above that revision. If the Lease or the annotation is
// removed while no process runs that saw this epoch, the epoch is forgotten. Config.Fencing.Floor
// remembers it.
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
// The active renews the Lease each RetryPeriod. It goes on while it drains, unless the term was
// lost. An unanswered renewal holds up the next one for RenewDeadline/4 at most. Validity ends
// RenewDeadline after the last acknowledged write was sent. A timer then ends the work's context,
// whatever else hangs. The proof that this keeps G1 is at [lease.Timing].
//
// # What ends a term
//
//	another holder or term seen                   at once
//	a higher epoch seen, written by hand          at once; released once work returned
//	Lease deleted, replaced, or holder cleared    at once; retaken as a new term once work returned
//	not renewed                                   RenewDeadline after the last good renewal was sent
//	Resign, or Run's context ends                 at once; the Lease is kept until work returned
//	a guard refuses the token, or is unavailable  before work starts
//	a guard has seen a later token                when the token is announced again
//	work returns or panics                        then, and Run returns or panics too
//
// Work that returns because its context ended, or because Valid turned false, has not returned by
// itself: Run stands by again, and calls work for the next term. A failed or conflicting request
// does not end a term on its own.
//
// # Cost
//
// The active writes once each RetryPeriod. Every replica holds one watch. Standbys send no other
// request while their watch delivers. While no holder renews, they list each two to three
// RetryPeriods.
//
// A process that is a candidate for a hundred or more Leases of one namespace should give its
// electors one [SharedWatch]. They then hold one watch together. With a thousand standbys, each
// then costs one goroutine (the one that called Run) and less than 20 kB. With a watch of its own,
// each costs four goroutines and 60 to 70 kB.
//
// # Sources
//
// Gray and Cheriton, Leases (1989), for the timing; Burrows, The Chubby lock service (2006), for
// sequencers; the package comment of client-go's tools/leaderelection, for what skew and drift
// mean; KEP-5504, for comparable resource versions.
//
// The rules of the protocol are numbered in package lease. The decisions are in internal/docs/adr.
package singleton
