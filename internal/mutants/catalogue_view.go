package main

// ofView are bugs in what a standby concludes (rules C1 to C10, A1, A2 and R7).
func ofView() []mutant {
	return []mutant{
		{
			name: "expiry-off-by-one", file: fileDecide, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "case now.Sub(v.FreeAt()) < 0:", new: "case now.Sub(v.FreeAt()) <= 0:",
			why: "at the very instant it waits for the very instant",
		},
		{
			name: "expiry-without-confirm", file: fileDecide, pkg: pkgLease, run: "TestDecideConfirms",
			old: "case !fresh:", new: "case !fresh && r.Exists() && r.Holder() == \"-\":",
			why: "a silent watch makes an old epoch",
		},
		{
			name: "doubt-ignored", file: fileDecide, pkg: pkgLease, run: "TestDecideConfirms",
			old: "case v.doubted:\n", new: "case v.doubted && r.Holder() != \"\":\n",
			why: "a failed write is tried again on the same record for ever",
		},
		{
			name: "stale-event-believed", file: fileView, pkg: pkgLease, run: "TestObserveDropsWhatIsOld",
			old: "case err == nil && (order < 0 || order == 0 && !o.Listed):", new: "case err == nil && order == 0 && !o.Listed:",
			why: "yesterday's release frees today's Lease",
		},
		{
			name: "slow-list-believed", file: fileView, pkg: pkgLease, run: "TestObserveDropsWhatIsOld",
			old: "case o.Listed && o.Asked.After(v.last.At):", new: "case o.Listed:",
			why: "a List that overtook an event shows the past",
		},
		{
			name: "unheld-is-free", file: fileChange, pkg: pkgLease, run: "TestWhatAChangeProves", seeds: 100,
			old: "released := shown && r.releases(before)", new: "released := shown && r.Exists() && r.Holder() == \"\"",
			why: "a holder cleared by hand may be at work",
		},
		{
			name: "shipped-anew-is-free", file: fileChange, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "case replaced, !v.known && !r.Exists():\n\t\treturn unproven\n\tcase r.untouched() && !v.known:\n\t\treturn asserted\n",
			new: "case r.untouched():\n\t\treturn asserted\n\tcase replaced, !v.known && !r.Exists():\n\t\treturn unproven\n",
			why: "delete and apply under a holder that is cut off",
		},
		{
			name: "release-not-believed", file: fileChange, pkg: pkgSingleton, run: "TestGracefulHandover",
			old: "return released && replaced == before.ResourceVersion()", new: "return released && replaced == \"\"",
			why: "a handover takes a lease",
		},
		{
			name: "restore-not-noticed", file: fileChange, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "restored := v.known && r.Exists() && err == nil && order <= 0\n", new: "restored := err == nil && order > 9\n",
			why: "a release from before a restore frees the Lease",
		},
		{
			name: "bumped-restore-not-noticed", file: fileChange, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "(epoch < v.epoch || ", new: "(",
			why: "the same, where the revision was bumped",
		},
		{
			name: "epoch-come-again-believed", file: fileChange, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: " || epoch == v.epoch && r.Term() != v.term)\n", new: ")\n",
			why: "after a restore the release of an epoch's second term frees its first one's Lease",
		},
		{
			name: "term-kept-for-another-holder", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "next.term == \"\" && o.Record.stands(v.Record()) {", new: "next.term == \"\" {",
			why: "the release of one term frees the Lease of another whose annotations were removed",
		},
		{
			name: "lowered-release-not-believed", file: fileChange, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "case released && (!lowered || r.Term() == v.term):", new: "case released && !lowered:",
			why: "an epoch raised by hand and mended costs a lease duration, after the release too",
		},
		{
			name: "lowered-release-of-any-believed", file: fileChange, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "case released && (!lowered || r.Term() == v.term):", new: "case released:",
			why: "a term that knew nothing of the one with the greatest epoch frees that one's Lease",
		},
		{
			name: "client-go-cleared-ours", file: fileChange, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: " && !oursBefore && epoch", new: " && (oursBefore || !oursBefore) && epoch",
			why: "client-go's release clears whoever holds the Lease by then",
		},
		{
			name: "client-go-cleared-unseen", file: fileChange, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: " && !oursBefore && epoch <= v.epoch:", new: " && !oursBefore:",
			why: "a term that came and was cleared while the watch was down may be at work",
		},
		{
			name: "client-go-cleared-hidden", file: fileChange, pkg: pkgLease, run: "TestWhatWasCoveredUp",
			old: "\t\tnext.owed, next.written = r.Duration(), 0\n",
			new: "\t\tnext.owed, next.written, next.hidden = r.Duration(), 0, Instant{}\n",
			why: "client-go's release frees also the claim that it had covered up",
		},
		{
			name: "takeover-ends-hidden", file: fileChange, pkg: pkgLease, run: "TestWhatWasCoveredUp",
			old: "\tcase explained: // by one who may not have seen what we saw covered up\n",
			new: "\tcase explained:\n\t\tnext.hidden = Instant{}\n",
			why: "one that knew nothing took over; its release frees what we had seen covered up",
		},
		{
			name: "any-release-ends-hidden", file: fileChange, pkg: pkgLease, run: "TestProofDoesNotEndOtherDebts",
			old: "if paid.hider != \"\" && paid.hider == r.Term() {", new: "if true {",
			why: "another's release frees the claim that is hidden",
		},
		{
			name: "one-of-two-hidden", file: fileChange, pkg: pkgLease, run: "TestProofDoesNotEndOtherDebts",
			old: "v.debt.hider != v.term && v.debt.hidden.After(o.At) ||", new: "false ||",
			why: "of two claims that are hidden, the later one's release frees both",
		},
		{
			name: "own-release-not-enough", file: fileChange, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "if paid.hider != \"\" && paid.hider == r.Term() {", new: "if false {",
			why: "an edit, and the holder's own release is waited with for a lease",
		},
		{
			name: "hidden-claim-forever", file: fileChange, pkg: pkgLease, run: "TestClientGoReleasesAfterALease",
			old: "epoch <= v.epoch && o.At.Sub(v.FreeAt()) >= 0:", new: "epoch <= v.epoch && o.At.Sub(v.FreeAt()) >= MaxLeaseDuration:",
			why: "each of client-go's terms starts the wait anew, although nothing was left to hide",
		},
		{
			name: "shorter-lease-believed", file: fileChange, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "owed: max(leaseDuration, wrote),", new: "owed: wrote,",
			why: "an edited duration takes the Lease from a holder at work",
		},
		{
			name: "longer-lease-forgotten", file: fileChange, pkg: pkgLease, run: "TestDurationsWrittenByHand",
			old: "o.At.Add(max(leaseDuration, v.debt.written))", new: "o.At.Add(leaseDuration)",
			why: "a deletion forgets that the holder had a longer lease",
		},
		{
			name: "edited-duration-kept", file: fileChange, pkg: pkgLease, run: "TestDurationsWrittenByHand",
			old: "if v.known && !v.moved(r) { // edited by hand: no elector wrote more than before", new: "if false {",
			why: "a slip of the pen keeps everybody waiting for an hour",
		},
		{
			name: "vacant-is-free", file: fileRecord, pkg: pkgLease, run: "TestWhatAChangeProves", seeds: 1260,
			old: "return r.unheld() && r.lease.Spec.RenewTime == nil && r.annotation(AnnotationVacant) == \"\"", new: "return r.unheld()",
			why: "a new process takes the Lease of a holder whose Lease was deleted",
		},
		{
			name: "vacant-without-mark", file: fileWrite, pkg: pkgLease, run: "TestCreateIsVacant",
			old: "Annotations: map[string]string{AnnotationVacant: \"created by \" + l.Identity},", new: "Annotations: map[string]string{},",
			why: "the holder whose Lease was deleted cannot tell that nobody has held it since",
		},
		{
			name: "vacant-without-time", file: fileWrite, pkg: pkgLease, run: "TestVacantWithoutItsMark",
			old: "Spec: coordv1.LeaseSpec{HolderIdentity: &nobody, RenewTime: l.now(time.Time{})},", new: "Spec: coordv1.LeaseSpec{HolderIdentity: &nobody},",
			why: "without its mark, which anybody can take away, it passes for a first install",
		},
		{
			name: "any-change-starts-the-wait", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "if v.known && v.follows(o) && o.Record.sameClaim(v.Record()) ||", new: "if v.known && o.ResourceVersion == v.last.ResourceVersion && o.Record.sameClaim(v.Record()) ||",
			why: "somebody who edits labels keeps a dead holder alive",
		},
		{
			name: "wait-from-the-question", file: fileChange, pkg: pkgLease, run: "TestWaitCountsFromTheAnswer",
			old: "next := debt{since: o.At, ", new: "next := debt{since: o.Asked, ",
			why: "a List may show a write that is younger than its question",
		},
		{
			name: "last-number-remembered", file: fileView, pkg: pkgLease, run: "TestEpochsWrittenByHand",
			old: "epoch > v.epoch && plausible(epoch, next.newest, v.epoch) {", new: "epoch > v.epoch {",
			why: "one slip of the pen and this process never leads again",
		},
	}
}
