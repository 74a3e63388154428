// Package leaderlock puts hotseat under client-go's leader election, and under the managers of
// controller-runtime. A [Lock] is a resourcelock.Interface. It shows the term of an elector of
// package singleton to client-go's LeaderElector. Controllers, webhooks, caches and callbacks stay
// as they are. They gain a handover in milliseconds, fencing tokens, and the guarantees of package
// singleton.
//
// With controller-runtime, two options and the call of Start change:
//
//	lock, err := leaderlock.New(client, singleton.Config{Name: "invoicer.example.com"})
//	...
//	manager, err := ctrl.NewManager(config, ctrl.Options{
//		LeaderElection:                      true,
//		LeaderElectionResourceLockInterface: lock,
//		BaseContext:                         lock.BaseContext,
//	})
//	...
//	err = lock.Run(ctx, manager.Start) // instead of manager.Start(ctx)
//
// It is tested with controller-runtime v0.23.0 to v0.25.2.
//
// With client-go, [Lock.RunElector] replaces leaderelection.RunOrDie. The repository has an example
// of each, before and after: examples/controller-runtime and examples/client-go.
//
// # What happens when
//
// Start. Run is given a function start, such as the manager's Start, and calls it at once. The
// replica becomes a candidate when client-go first asks for the lock. A manager does that after its
// caches have synced. Until then [singleton.Elector.Ready] returns an error.
//
// Becoming active. client-go's request for the lock waits until the term begins. So client-go
// learns of the term at once, and its RetryPeriod plays no part.
//
// Being active. client-go's writes go to memory, and cost nothing. The elector renews the Lease, at
// the timings of singleton.Config.Timing.
//
// Shutdown. When Run's context ends, so does that of start. The Lease is renewed until start has
// returned, and then released. A manager waits for its controllers for GracefulShutdownTimeout. If
// they need longer, its Start returns an error that wraps context.DeadlineExceeded. Run then leaves
// the Lease to expire, as it does for [singleton.ErrUnfinished].
//
// Loss. When the term is lost, the contexts of start and of [Lock.BaseContext] end at once. Start
// gets half the stop budget to return (2.1 s by default). Then Run returns in any case, with an
// error that wraps the [*singleton.EndError]. End the process when Run returns: a controller cannot
// be started a second time. The other half of the stop budget is for the process to end.
//
// An edit that takes the Lease away from a healthy holder is a loss, too. Package singleton alone
// would take the Lease back at once. A Lock cannot, because controllers start only once. So nobody
// works until the standbys have waited for a lease duration.
//
// # What to leave alone
//
// Four things would let two replicas work at once:
//   - A manager with a GracefulShutdownTimeout of 0. Its Start returns while controllers work.
//     [Lock.CheckShutdown] refuses it.
//   - A manager without LeaderElection, or without the Lock: its controllers start in every
//     replica. Such a replica never gets ready, and logs a warning after a LeaseDuration.
//   - A program that goes on working after Run has returned. By then the Lease is released, or will
//     soon expire.
//   - A callback OnStartedLeading that returns while goroutines that it started go on.
//
// The timings of client-go's side (LeaseDuration, RenewDeadline, RetryPeriod) and ReleaseOnCancel
// have no effect on when a term begins or ends. The repository's internal/docs/adr has the reasons.
package leaderlock
