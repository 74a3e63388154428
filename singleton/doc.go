// Package singleton keeps at most one replica of a service active at a time. The others stand by,
// already warmed up, and one of them takes over when the active replica stops or fails. It is
// leader election for services on Kubernetes. It elects on a coordination.k8s.io Lease, and gives
// every term a fencing token.
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
// A liveness probe asks [Elector.Live] in the same way. One Prometheus registry can hold the
// electors of many Leases, but only one elector for each Lease. When the Pod is stopped, work must
// return within the Pod's terminationGracePeriodSeconds. The Lease is released only after work has
// returned. If the Pod is killed before that, a standby waits out the lease duration. In the
// repository, examples/deploy has the manifest, with the Lease and the RBAC rules.
//
// # Guarantees
//
// G1, one at a time. The work of two replicas never overlaps, as long as
//   - the clocks of any two nodes run at rates within MaxClockDrift of each other,
//   - no process is frozen, and
//   - work returns within its stop budget after its context ends (4.2 s by default; see [Work]).
//
// Apart from the exceptions below, this holds for any outage of the API server, any delay, loss or
// reordering of its answers, any edit or deletion of the Lease, and any skew of wall clocks.
//
// G2, tokens only grow. A term is one uninterrupted stretch of being active. Its fencing token has
// an epoch, a number that is greater than that of every earlier term.
//
// G3, stale writes are refused. Even when the assumptions of G1 break, a guard (package fencing)
// that knows token n refuses every token below n. Each term's token is announced to Config.Guards
// before the term's work starts.
//
// G4, recovery. After faults end, a replica is active within LeaseDuration + 0.5 s, without the
// restart of any process. This needs a replica that
//   - has warmed up and is eligible ([Elector.SetEligible]),
//   - neither stands back (ReplicaConfig.HoldOff) nor lets others go first ([Elector.SetCourtesy],
//     or because its work failed), and
//   - has a token that its guards accept.
//
// For this guarantee, a fault has ended once its effects have been noticed:
//   - A lost request is noticed, and sent again, after RenewDeadline/4.
//   - A silent watch is noticed after two to three RetryPeriods. If the standby then finds that
//     another replica has taken the Lease, it waits for that replica's lease duration, counted from
//     that moment.
//
// A slow server is not a fault. If the replica has the right to patch the Lease, a term goes on as
// long as two writes in a row fit into RenewDeadline. If it does not have that right, a term ends
// if writes take longer than a quarter of RenewDeadline.
//
// # Exceptions to G1
//
// Two replicas can be at work in these cases. A test shows each.
//
//   - A process is frozen in the middle of a request that carries no token, and finishes it when it
//     thaws. (TestFaults/whole/the_same_without_a_guard in internal/e2e)
//   - A Lease is deleted and created again from its manifest while its holder is cut off or still
//     stopping. A process that never saw the term mistakes the new Lease for the Lease of a first
//     install, and does not wait. (TestExceptionShippedAnewBesideANewProcess)
//   - etcd was restored from a backup less than a LeaseDuration ago, and the backup lacks recent
//     changes of the Lease. A replica that never saw those changes may acquire the Lease while the
//     old holder still works. The overlap lasts until the old holder notices. The second list says
//     which replicas can do so.
//   - etcd was restored in the same way while an API server went on running, and the backup lacks
//     even the old holder's term. Another replica, B, acquires the Lease as in the item above. Then
//     the Lease is deleted or cleared. The old holder never saw B's term, so it acquires the Lease
//     again while B is still at work. (TestExceptionForgottenHolderTakesItsSeatBack)
//   - A candidate on the same Lease uses client-go's elector, which follows client-go's rules only.
//     (TestExceptionClientGoTakesADeletedLease)
//   - Replicas have different LeaseDurations. A standby waits for the longer of its own
//     LeaseDuration and the one on the Lease, up to [lease.MaxLeaseDuration]. If somebody shortens
//     the duration on the Lease while the holder is cut off, a replica that never saw the longer
//     duration waits for its own only.
//     (TestExceptionShortenedDurationBesideAShorterLeaseDuration)
//   - Somebody clears the holder by hand and forges hotseat's release annotation
//     ([lease.AnnotationReleased]). Like a true release, the forged value names the resourceVersion
//     that the edit replaces. (TestExceptionForgedRelease)
//   - With Config.Evidence, somebody forges the evidence annotation ([lease.AnnotationEvidence]).
//     The forged value names the holder's term, the resourceVersion that the edit replaces, and a
//     process that is dead. (TestExceptionForgedEvidence)
//
// After a restore, these replicas can acquire the Lease beside the old holder:
//   - one that was cut off (TestExceptionRestoredBesideAStandbyThatWasBehind);
//   - one that has just started, if etcd was restored without --mark-compacted, and the backup has
//     the Lease unheld (TestExceptionRestoredBesideANewProcess), or, with Config.Evidence, held by
//     a process that is dead by now (TestExceptionRestoredBesideTheDead);
//   - one that had an acquire request in flight (TestExceptionRestoredUnderAnAcquireOnItsWay); and
//   - one that has just started, if the release of an earlier term was in flight, and the backup
//     has the Lease just as that term left it (TestExceptionRestoredUnderAReleaseOnItsWay).
//
// # Exceptions to G2
//
// Epochs come from the revision of the API server's store. A later term can have an epoch that is
// not above all earlier ones in these cases:
//   - Somebody raises an epoch by hand above that revision. Later, the Lease or its epoch
//     annotation ([lease.AnnotationEpoch]) is removed while no process that saw the raised epoch is
//     running. (TestExceptionRaisedEpochIsForgotten)
//   - The store goes back to a state from before a term, and no running process saw that term. A
//     restore without a bumped revision does that, and so does a new cluster.
//     (TestExceptionRestoredEpochComesAgain)
//
// Config.Fencing.Floor keeps tokens growing in both cases.
//
// # States
//
//	                 released, or unchanged for a lease duration
//	warming -> standby ------------------------------> acquiring
//	             ^  ^                                   |   |
//	             |  +--------- another was faster ------+   | acknowledged in time
//	             |                                          v
//	          draining <---- lost, resigned, shut down -- active
//
// The active replica renews the Lease every RetryPeriod. It goes on renewing while its work drains,
// unless the term was lost. An unanswered renewal delays the next one by RenewDeadline/4 at most.
// The term stays valid for RenewDeadline, counted from the moment when the last acknowledged write
// was sent. A timer then ends the work's context, even if everything else hangs. The proof that
// this keeps G1 is at [lease.Timing].
//
// # What ends a term
//
//	another holder or term seen                   at once
//	a higher epoch seen, written by hand          at once; the Lease is released after work
//	Lease deleted, replaced, or holder cleared    at once; it is taken back after work, as a new term
//	not renewed                                   RenewDeadline after the last good renewal was sent
//	Resign, or Run's context ends                 at once; the Lease is kept until work returns
//	a guard refuses the token, or is unavailable  before work starts
//	a guard has seen a later token                when the token is next announced; see Config.Guards
//	a write of work is refused as stale           at once, unless Fencing.KeepOnStale is set
//	work reports no progress                      after Replica.ProgressWithin, if that is set
//	work returns by itself, or panics             at once, and Run returns or panics too
//
// A replica whose work stalled, or failed within a LeaseDuration, lets other replicas acquire the
// Lease first: for HoldOff, and for twice as long after each further failure, but for a
// LeaseDuration at most. A term of a LeaseDuration, or ten minutes without a failure, end that. A
// replica that is alone becomes active all the same.
//
// Work has returned by itself if its context has not ended yet and [Term.Valid] is still true. Run
// then returns too. Otherwise Run stands by again and calls work for the next term, unless Run's
// context has ended or Config.OneTerm is set.
//
// A failed or conflicting request does not end a term on its own.
//
// If work returns [ErrUnfinished], the Lease is not released, and Run ends.
//
// # Cost
//
// The active replica writes once every RetryPeriod. Every replica holds one watch. A standby makes
// one dry run of a write when Run begins ([Elector.Ready]), and sends no other request as long as
// its watch delivers events. While no holder renews, it lists the Lease every two to three
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
