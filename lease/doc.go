// Package lease describes a coordination.k8s.io Lease to users of package singleton. A [Record] is
// a snapshot of a Lease with its annotations. A [Timing] has the durations of an election. The
// errors say why a setting was refused, or why a request failed. The protocol's rules are below.
// The code that keeps them is internal.
//
// # Words
//
//   - Lease: the object. Lease duration: its leaseDurationSeconds, how long a standby waits after
//     the last renewal that it saw.
//   - Candidate: a process that stands for election on a Lease. Elector: what does that for the
//     process, such as singleton.Elector. Standby: a candidate that does not hold the Lease.
//     Active: the candidate whose term is valid; only its work runs. Holder: the candidate that the
//     Lease names.
//   - Term: one uninterrupted stretch of being active. Claim: what a record of the Lease says,
//     namely that a certain term is under way. A holder's own claim is the one in the last record
//     that the API server acknowledged to it.
//   - Token: what a term shows to guards. Its epoch is the number in it. Guard: what checks tokens
//     at a resource. The elector announces each token to the guard. Mark: the greatest token that a
//     guard has seen.
//   - Acquire, or take the Lease: to become the holder, which begins a term. Renew: to write a new
//     renewTime. Release: to give the Lease up. Handover: a release and the acquire after it.
//     Failover: an acquire after a crash.
//   - Stop budget: how long work may take to return after its term was lost. Drain: what work does
//     from the end of its context until it returns. Stand back: to be a candidate that does not try
//     to acquire for a while.
//   - Ship: to create the Lease from a manifest, held by nobody. Vacant: said of a Lease that a
//     standby created because it was missing. Seat: a holder's place on the Lease. If an edit
//     removes the holder from the Lease, the holder may take its seat back (rules S1 to S3). Raise:
//     to write a greater epoch for the current term.
//   - Look: to List or Get the Lease; also the answer. Observation: the answer to a look, or an
//     event of the watch. Gap: a time in which the Lease may have changed unseen, because no watch
//     covers it.
//
// # Rules
//
// Code, tests and documents cite these rules by number, as in "rule C3". The table in
// internal/docs/rules.md names the functions that keep each rule, the tests that show it, and the
// mutants that break it. A number is never used again for another rule.
//
// T, timing. The proof is at [Timing].
//
//   - T1. A term is valid for RenewDeadline from the sending of its last acknowledged write, no
//     matter when the answer came.
//   - T2. Nothing else prolongs a term: no look, no event, no failed write. An answer that comes
//     late or out of order neither shortens a term nor revives one that is over.
//   - T3. A standby waits a lease duration from when it saw the last change of the claim.
//   - T4. It waits for the longer of its own duration and the one on the Lease. The one on the
//     Lease counts for at most [MaxLeaseDuration]. If somebody edited it by hand, it counts for at
//     most the longest duration that the standby saw an elector write.
//   - T5. Each machine compares only its own elapsed times. The times on the Lease are for people.
//   - T6. A timer ends the work's context when validity ends, even if everything else hangs.
//     Term.Valid does not rely on the timer: it reads the clock itself.
//   - T7. An acquire that is acknowledged RenewDeadline or more after its sending starts no work.
//   - T8. A timing is refused if the proof fails for it, or if a value is outside the bounds at its
//     field in [Timing].
//
// R, requests and looks.
//
//   - R1. Each request has a deadline, RenewDeadline at most. Nothing waits for a request beyond
//     its deadline. A request that has not ended by then is left behind, and its answer is ignored.
//   - R2. While a read, a create or a release is unanswered, another copy of it is sent each
//     RenewDeadline/4. Earlier copies stay in flight. The first answer counts.
//   - R3. A request without a clear answer (a timeout, 5xx) proves nothing. Only a fresh look shows
//     what happened.
//   - R4. Every answer is checked. If the record in it is not the one that was written, the write
//     counts as a conflict, whatever the answer's status.
//   - R5. A refused write is followed by a GET. A GET asks the store. A LIST may come from a cache,
//     which can be ahead of the store after a restore.
//   - R6. If a GET has shown that a record is out of date, Lists that show this record are ignored.
//     This ends once the watch delivers a new event: one newer than the last observation that was
//     not ignored.
//   - R7. An observation that is provably not newer than the last look is dropped. If the version
//     of an event cannot be compared, a standby looks again, and a holder renews, to learn whether
//     the Lease has changed.
//   - R8. A candidate lists the Lease, and watches from the version of that List on. When the watch
//     ends, it does both again. If watching is forbidden, it polls.
//
// W, writes.
//
//   - W1. A renewal is a JSON patch. It tests that the Lease still shows the term: the UID, the
//     annotation fencing-term and the holder. It does not test the version. So label edits do not
//     hold it up. A renewal may arrive when its term is already over. Then it prolongs nothing
//     (T2).
//   - W2. A renewal is due each RetryPeriod. While one is unanswered, the next is not sent until
//     that one is RenewDeadline/4 old. If writes take more than half of RenewDeadline, both waits
//     are shortened if need be, because the next answer has to come before the term ends. Neither
//     becomes shorter than RetryPeriod/4.
//   - W3. When a renewal is acknowledged, those sent before it are cancelled. If its answer was
//     slow, a new renewal is sent at once. Another renewal may have been sent just before the slow
//     answer came. That one is cancelled too, because it and the new one would hold each other up
//     by conflicts. It is kept while writes take more than half of RenewDeadline: two writes in a
//     row then do not fit into RenewDeadline.
//   - W4. A repair, and each write that changes the holder, tests the UID, the version, the whole
//     spec and our annotations. Neither the version nor the content is enough alone.
//   - W5. renewTime changes with each write, even if the wall clock stands still.
//   - W6. No write changes content of the Lease that is not ours. If our annotations were removed
//     or damaged, they are repaired while the term stands.
//   - W7. After a conflict, a write is repeated only if the term still stands and an edit explains
//     the conflict. It is repeated a few times at most.
//   - W8. If the verb patch is refused, writes are updates by UID and version, one at a time. The
//     refusal is logged once. patch is tried again after a lease duration.
//   - W9. A patch may be refused although the store has what the patch tests for, because the API
//     server tested it on a cache. An update by version bypasses that cache.
//
// C, what a change proves about earlier claims.
//
//   - C1. Between two looks there is always a gap. Within a watch there is none: neither between
//     the List that it began from and its first event, nor between its events. After a gap, a
//     record makes the same claim as the last record seen only if both are the same version. Label
//     edits within a watch are harmless.
//   - C2. Two changes prove that a holder has stopped: its own release, and a takeover that follows
//     these rules and has a greater epoch. After any other change a standby waits for a lease
//     duration from when it saw the change.
//   - C3. An unexplained change may have hidden a term. The wait ends early only if that hidden
//     term is itself released. A takeover does not end it: the process that took over may never
//     have seen that term.
//   - C4. A release identifies itself: fencing-released names the time that the release wrote and
//     the version that it replaced. The release is proven if a watch shows it right after that
//     version.
//   - C5. Without such a watch, the standby looks at the version just before the record that it
//     saw. If the release names this earlier version, and the earlier version shows the holder, the
//     release is proven. If the earlier version already shows the same release, only something else
//     was edited since, such as a label. The standby then looks one version further back, a few
//     times at most.
//   - C6. A Lease that looks as if nobody ever held it counts as free only on two conditions.
//     First, the standby's first look showed the Lease like that. Second, a look at the state just
//     before the Lease was created shows that no Lease existed then.
//   - C7. If the server no longer has the earlier version that C5 or C6 needs, a standby waits for
//     a lease duration.
//   - C8. If the UID of the Lease has changed, that proves nothing about the holder of the earlier
//     Lease.
//   - C9. If a Lease went back to an earlier state (a lower version or epoch, or an epoch that was
//     seen with another term), it proves nothing: the store was restored. There is one exception:
//     if a term's epoch was raised by hand and then lowered again, a release by that term is still
//     believed.
//   - C10. After a release by client-go, a standby waits for the lease duration that the release
//     wrote. The release proves that client-go's own term is over. It proves the same of earlier
//     terms only if client-go's term was seen to last for a lease duration.
//   - C11. A holder with our own identity is waited out like any other.
//
// S, a seat that its holder takes back.
//
//   - S1. A holder may take its seat back if one watch has shown every change since its own record,
//     and if none of these changes was a release or named another holder.
//   - S2. It may do so only once its work has returned, and while its old term would still be
//     valid.
//   - S3. It may do so after an edit that cleared, replaced or deleted the Lease, or put an earlier
//     record of it back. It does so by compare-and-swap, and as a new term.
//
// A, acquiring.
//
//   - A1. A term begins by compare-and-swap on an existing Lease. A missing Lease is created
//     vacant. That begins no term: a standby still waits for a lease duration before it acquires
//     the Lease.
//   - A2. Before an acquire, a GET asks the store. A LIST is sent at the same time, and the GET's
//     answer must not be older than the LIST's. No GET is needed in two cases: a candidate takes
//     its own seat back, or it saw less than 500 ms ago that the Lease was released or never held.
//     If Config.Fencing.Floor is set, a GET is sent in these cases too, after Floor has returned.
//   - A3. After a conflict, a candidate looks at which term the Lease has. If that is the term that
//     the candidate is acquiring, one of its writes has arrived. The candidate then renews the
//     term, because validity counts from an acknowledged write and not from a look.
//   - A4. An unanswered acquire is repeated with the same term for RenewDeadline + RetryPeriod, but
//     not until others may acquire (L/k). If its writes arrive but no answer does in that time, the
//     replica lets others acquire first.
//   - A5. A standby that lost a race waits a random time after the Lease comes free. The time grows
//     with each lost race, up to 200 ms.
//   - A6. A replica that is not eligible neither acquires nor creates a Lease, and resigns a term
//     that it was acquiring. A replica that resigned stands back for HoldOff, but creates a missing
//     Lease.
//   - A7. A replica that is stopped while it acquires waits a while for the outcome. If it got the
//     Lease, it releases the Lease.
//   - A8. A Lease may name a successor: in the annotation [AnnotationSuccessor], or in
//     spec.preferredHolder. A standby that sees its name there answers by writing its identity into
//     the annotation. The write fails if the term that the standby saw no longer holds the Lease.
//     The holder hands over to such an identity, and never to a name that nobody has answered to.
//     Once the Lease comes free, the successor acquires at once, and all others RetryPeriod/2
//     later. An acquire removes the name.
//   - A9. A courteous replica acquires later than others. Elector.SetCourtesy says by how much: by
//     a lease duration at most.
//   - A10. If work stalls (H9), or fails before its term has lasted for a lease duration, its
//     replica acquires later than others from then on: by HoldOff, and by twice as much after each
//     further failure, but by a lease duration at most. Failures are forgotten once work has served
//     for a lease duration, and ten minutes after the last one.
//
// E, epochs and whose term it is.
//
//   - E1. A new epoch is above the epoch on the Lease, the greatest epoch seen, and the number that
//     Config.Fencing.Floor returns. It is not below the store's newest version.
//   - E2. The token on the Lease counts as the holder's only if fencing-holder names the holder.
//   - E3. A term stands while the Lease has the term's UID, holder and term id. If the annotation
//     with the term id is missing, the Lease must have the term's acquireTime. Any other record is
//     a definite loss.
//   - E4. An epoch raised by hand ends the term. The Lease is released once work has returned, and
//     this replica lets others acquire first.
//   - E5. A raise lifts the epoch above a guard's mark, by at most MaxRaise. It tests what a
//     renewal tests, and the old epoch. The term's token gets the new epoch once the elector has
//     seen that epoch on the Lease. Until then, neither the old epoch on the Lease nor the new one
//     ends the term. Any other higher epoch does.
//   - E6. Some epochs are so great that only a person can have written them. Such an epoch is
//     refused before a guard sees it, and is not remembered.
//
// H, a term's beginning and end, and handing over.
//
//   - H1. The token is announced to all guards before work starts. If a guard refuses or does not
//     answer, work does not start.
//   - H2. Validity is checked again after each step before work.
//   - H3. The token is announced again each AnnouncePeriod, and when a renewal goes through after
//     an outage. A guard that knows another term's higher mark ends the term.
//   - H4. A definite loss ends the term at once, whether an event or an answer shows it.
//   - H5. The Lease is released only after work has returned. It is renewed until then, unless the
//     term was lost.
//   - H6. Validity ends before the release is sent. The release waits for renewals in flight, for
//     RenewDeadline/4 at most. It has to name the version that it replaces, and each renewal
//     changes the version.
//   - H7. A release never replaces another term. But another term may have come and gone unseen. So
//     if the Lease has changed since the holder's own claim, the holder releases the Lease only if
//     each record since is known to be of its own term. Then only edits and renewals have changed
//     the Lease.
//   - H8. Work that overruns its stop budget, or DrainLimit, is reported.
//   - H9. With ProgressWithin, work that reports no progress for that long has stalled, and its
//     term ends. Time in which the process did not run does not count. A term that is over has not
//     stalled: it is lost.
//
// P, proof of death. It needs Config.Evidence, which tells whether a process is dead.
//
//   - P1. A holder publishes on the Lease a text by which others recognize its process. The text
//     names the holder's term. It proves something only while fencing-term and fencing-holder name
//     that term and its holder. A takeover and a release remove it.
//   - P2. The holder also publishes a version of the Lease: the last one that it knew while its
//     term was valid. In an acquire, that is the version that the acquire replaces.
//   - P3. The death of a holder counts only if its claim is known to be the last one: nobody else
//     has held the Lease since its term began. Two facts together prove that: a write of the holder
//     replaced the very version that the write itself published (P2), and all records since are of
//     the same term. A standby learns both from a watch, or from a look a few versions back.
//   - P4. The death of a holder ends the wait for its own claim, as its release does. It does not
//     end the wait for a claim that an unexplained change may have hidden, nor any other wait.
//   - P5. After a GET of the Lease, and before the acquire, a standby asks whether the holder is
//     dead. What it heard earlier is only a hint.
//   - P6. Requests of a dead process may still be on their way. So a guard is required (H1), or a
//     time to settle (Config.Fencing.Settle). A standby waits for that time after the proof.
//   - P7. Without proof, a standby waits for the lease duration. An error, a panic and a missing
//     answer prove nothing. A call of Config.Evidence never delays a write of a term. It may delay
//     the end of Run, but not for long.
//
// F, failures.
//
//   - F1. A failed attempt is repeated after a random pause that grows to RetryPeriod at most.
//   - F2. Run ends if, from the start and for a whole lease duration, each write is refused in a
//     way that only a person can fix. A List that is never allowed, and a guard that is miswired
//     from the start, end Run in the same way. If the server has no resourceVersions, Run ends: at
//     once if a write shows that, else after three Lists.
//   - F3. Apart from that, Run ends only when work returns by itself, when warm-up fails, when
//     something panics, or when its context ends. With Config.OneTerm it also ends after the first
//     term in which work started. A loss, a lost race or an outage does not end Run.
//   - F4. A watch that is silent for two to three RetryPeriods, or for three renewals of our own,
//     is not relied on. A fresh look is made, and the watch is replaced.
//   - F5. Pings distinguish dead connections from slow servers. So no request has to be given up in
//     order to find out.
//   - F6. A failure is logged when it begins, now and then while it lasts, and when it is over. A
//     request that is not answered counts as failing.
//   - F7. When Run begins, a standby rehearses: it sends a dry run of a write that cannot succeed.
//     The answer still shows what only a person could fix, such as a missing right. That counts
//     like the refusal of an acquire. The replica is not ready before the answer.
package lease
