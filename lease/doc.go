// Package lease is hotseat's protocol on one coordination.k8s.io Lease: an
// immutable [Record] of it, the arithmetic of its time ([Timing]), the pure
// decision of a standby ([Decide] on a [View]), and the requests ([Lock]).
//
// It has no loop, no callback and no timer; package singleton does. Use that
// unless you are writing an elector.
//
// # Words
//
// The Lease is the object, the lease duration a time. A term is one uninterrupted
// stretch of holding the Lease. A claim is a term as last acknowledged.
//
// # Rules of a write
//
//  1. A renewal tests the term (UID, fencing-term, holder) and no version. It needs no
//     answer of the one before, and label edits do not hold it up. A term that is
//     over stays over, so a late one prolongs nobody's validity ([Lock.Renew]).
//  2. A write that changes hands (acquire, release, raise, repair) tests the UID, the
//     version and what it was decided upon: the claim and our annotations. The version
//     alone is not enough: after a restore it can come to mean another record. The
//     content alone is not either: an edit can put it back ([Lock.Take]).
//  3. renewTime moves with each write, also where the wall clock stands still.
//  4. Every answer is checked. One that shows another record than was written is a
//     conflict, whatever its status.
//  5. A refused write is followed by a look at the store ([Lock.Get]): a List may come
//     from a cache that is ahead of it. What the look refuted is not believed when a
//     List shows it again, until the watch goes on.
//  6. A request without a clear answer (a timeout, 5xx) proves nothing; only the next
//     look tells. No request is waited for beyond its deadline.
//  7. Where the verb patch is refused, writes are updates by UID and version.
//
// # What a change proves
//
//  1. Only what one watch shows next to each other is known to be without a gap.
//     Across a gap a record makes the same claim only if it is the same version of it.
//  2. The holder before is out after its own release, and after a takeover with a
//     greater epoch by these rules. Nothing else proves it. After any other change (an
//     edit, a deletion, a Lease shipped anew, a restore) a lease duration is waited
//     from when it was seen: a holder that is cut off may be at work for as long.
//  3. A release says so itself: the annotation fencing-released names the time that it
//     wrote and the version that it replaced. Seen in a watch right after that version,
//     it is the proof. Elsewhere the version before it has to show the holder
//     ([Lock.Before]).
//  4. A Lease that was never held is free only if nothing was there before its
//     creation, which the version before it shows.
//  5. Where the server has forgotten the version before (after 5 to 10 minutes, by
//     default), a lease duration is waited.
//  6. Another UID proves nothing about the holder of the Lease before.
//  7. The holder may take back a Lease that was cleared, replaced or deleted under it,
//     if one watch has shown every change since its own record, none named a holder,
//     its work has returned, and its term would still be valid.
package lease
