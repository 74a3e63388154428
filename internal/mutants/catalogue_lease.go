package main

// ofTime are bugs in what a term's time is counted from.
func ofTime() []mutant {
	return []mutant{
		{
			name: "renewal-counts-from-answer", file: fileLock, pkg: pkgLease, run: "TestRenewalCountsFromSending", seeds: 180,
			old: "\t\tsent := l.Clock.Now()\n\t\tstored, err := l.write(ctx, l.renewed(c))\n\t\tif err != nil {\n\t\t\treturn err\n\t\t}\n",
			new: "\t\tstored, err := l.write(ctx, l.renewed(c))\n\t\tif err != nil {\n\t\t\treturn err\n\t\t}\n\t\tsent := l.Clock.Now()\n",
			why: "a late answer keeps work alive beside its successor",
		},
		{
			name: "acquire-counts-from-answer", file: fileLock, pkg: pkgLease, run: "TestAcquireAcknowledgedTooLate",
			old: "claim.Record, claim.Sent = stored, sent\n\treturn l.inTime(claim)",
			new: "_ = sent\n\tclaim.Record, claim.Sent = stored, l.Clock.Now()\n\treturn l.inTime(claim)",
			why: "a late acquire starts work although its time is over",
		},
		{
			name: "late-acquire-accepted", file: fileLock, pkg: pkgLease, run: "TestAcquireAcknowledgedTooLate",
			old: "age >= l.Timing.RenewDeadline {", new: "age < 0 {",
			why: "an acquire acknowledged after its validity becomes a claim",
		},
		{
			name: "late-acquire-at-the-limit", file: fileLock, pkg: pkgLease, run: "TestAcquireAcknowledgedTooLate",
			old: "age >= l.Timing.RenewDeadline {", new: "age > l.Timing.RenewDeadline {",
			why: "a claim that is valid for no time at all",
		},
		{
			name: "adopt-without-renewing", file: fileLock, pkg: pkgLease, run: "TestAcquireWhoseAnswerIsLost", seeds: 1000,
			old: "claim, err = l.Renew(ctx, claim.Rebase(o.Record))",
			new: "claim = claim.Rebase(o.Record)\n\tclaim.Sent = o.At",
			why: "a List counts as an acknowledgement; the write may be a lease old",
		},
		{
			name: "adopt-without-term", file: fileLock, pkg: pkgLease, run: "TestEarlierTermIsNotAdopted",
			old: "if claim.Standing(o.Record) != nil {",
			new: "if o.Record.Holder() != l.Identity {",
			why: "an earlier term's record is adopted under a token that was never written",
		},
		{
			name: "adopt-over-a-fence", file: fileLock, pkg: pkgLease, run: "TestFencedAcquireIsNotAdopted",
			old: "if claim.Standing(o.Record) != nil {",
			new: "if o.Record.Holder() != l.Identity || o.Record.Term() != claim.Token.Term {",
			why: "the operator's higher epoch is written over",
		},
		{
			name: "requests-without-deadline", file: fileLock, pkg: pkgLease, run: "TestEveryRequestHasADeadline", seeds: 40,
			old: "func (l *Lock) write(ctx context.Context, next *coordv1.Lease) (Record, error) {\n\tctx, cancel := context.WithTimeout(ctx, l.Timing.RequestTimeout())",
			new: "func (l *Lock) write(ctx context.Context, next *coordv1.Lease) (Record, error) {\n\tctx, cancel := context.WithCancel(ctx)",
			why: "one lost packet costs the term",
		},
		{
			name: "duration-is-the-deadline", file: fileWrite, pkg: pkgLease, run: "TestAcquireRenewRelease",
			old: "seconds := int32(l.Timing.LeaseDuration / time.Second)", new: "seconds := int32(l.Timing.RenewDeadline / time.Second)",
			why: "standbys wait too short: no stop budget is left",
		},
	}
}

// ofWrites are bugs in what is written, and over what.
func ofWrites() []mutant {
	return []mutant{
		{
			name: "update-without-uid", file: fileLock, pkg: pkgLease, run: "TestRenewalOfADeletedLease", seeds: 1130,
			old: "stored, err := do()", new: "next.UID = \"\"\n\tstored, err := do()",
			why: "a renewal of a deleted Lease creates it",
		},
		{
			name: "update-without-version", file: fileLock, pkg: pkgLease, run: "TestAcquireLosesTheRace", seeds: 40,
			old: "stored, err := do()", new: "next.ResourceVersion = \"\"\n\tstored, err := do()",
			why: "no compare-and-swap: the last writer wins",
		},
		{
			name: "release-over-a-fresh-read", file: fileLock, pkg: pkgLease, run: "TestLostTermWritesNothing",
			old: "err := l.insist(ctx, &c, func() error {\n\t\t_, err := l.write(ctx, l.released(c))\n\t\treturn err\n\t})",
			new: "o, err := l.List(ctx)\n\tif err != nil || !o.Record.Exists() {\n\t\treturn err\n\t}\n\t_, err = l.write(ctx, l.released(c.Rebase(o.Record)))",
			why: "client-go's: it clears the successor's record",
		},
		{
			name: "reread-without-standing", file: fileLock, pkg: pkgLease, run: "TestLostTermWritesNothing", seeds: 40,
			old: "return c.Rebase(o.Record), c.Standing(o.Record)", new: "return c.Rebase(o.Record), nil",
			why: "after a conflict it writes over whoever is there",
		},
		{
			name: "rewrites-without-end", file: fileLock, pkg: pkgLease, run: "TestRewritesEnd",
			old: "if again == rewrites || c.Record.ResourceVersion() == before {", new: "if c.Record.ResourceVersion() == before {",
			why: "under a storm of edits a renewal hammers the API server for ever",
		},
		{
			name: "unexplained-conflict-insisted", file: fileLock, pkg: pkgLease, run: "TestUnexplainedConflict",
			old: "if again == rewrites || c.Record.ResourceVersion() == before {", new: "if before != \"-\" && again == rewrites {",
			why: "a broken webhook is asked again at once",
		},
		{
			name: "raise-without-reread", file: fileLock, pkg: pkgLease, run: "TestRaiseStopsAtTheOperatorsFence",
			old: "c, err := l.reread(ctx, c)\n\tif err != nil {\n\t\treturn c, err\n\t}\n\t// From", new: "// From",
			why: "a raise goes over the operator's fence",
		},
		{
			name: "raised-epoch-forgotten", file: fileLock, pkg: pkgLease, run: "TestRaise",
			old: "c.Token.Epoch = mark + 1\n\treturn l.Renew(ctx, c)",
			new: "raised := c\n\traised.Token.Epoch = mark + 1\n\tif raised, err = l.Renew(ctx, raised); err != nil {\n\t\treturn c, err\n\t}\n\treturn raised, nil",
			why: "a raise whose answer is lost is undone by the next renewal",
		},
		{
			name: "transitions-overflow", file: fileWrite, pkg: pkgSingleton, run: "TestLeaseTransitionsAtMaxInt32",
			old: "if transitions < math.MaxInt32 {", new: "if transitions <= math.MaxInt32 {",
			why: "nobody can lead any more",
		},
		{
			name: "release-mark-kept", file: fileWrite, pkg: pkgLease, run: "TestAcquireRenewRelease",
			old: "\tdelete(next.Annotations, AnnotationReleased)\n", new: "",
			why: "the mark outlives its meaning",
		},
		{
			name: "release-without-mark", file: fileWrite, pkg: pkgSingleton, run: "TestGracefulHandover",
			old: "\tnext.Annotations[AnnotationReleased] = releaseMark(next.Spec.RenewTime.Time)\n", new: "",
			why: "a handover takes a lease",
		},
		{
			name: "holder-not-reasserted", file: fileWrite, pkg: pkgLease, run: "TestRenewRepairsAnnotations|TestAcquireRenewRelease",
			old: "\tnext.Annotations[AnnotationHolder] = l.Identity\n", new: "",
			why: "nobody can read the token",
		},
	}
}

// ofStanding are bugs in telling one's own term.
func ofStanding() []mutant {
	return []mutant{
		{
			name: "term-not-compared", file: fileLock, pkg: pkgLease, run: "TestLostTermWritesNothing",
			old: "case r.Term() != \"\" && r.Term() != c.Token.Term,\n\t\tr.Term()", new: "case r.Term()",
			why: "two terms of one identity take each other for themselves",
		},
		{
			name: "acquire-time-not-compared", file: fileLock, pkg: pkgLease, run: "TestLostTermWritesNothing",
			old: ",\n\t\tr.Term() == \"\" && !r.AcquireTime().Equal(c.Record.AcquireTime()):", new: ":",
			why: "with the annotations removed any term of ours is this one",
		},
		{
			name: "uid-not-compared", file: fileLock, pkg: pkgLease, run: "TestLostTermWritesNothing",
			old: "case !r.Exists() || r.UID() != c.Record.UID():", new: "case !r.Exists():",
			why: "a Lease made anew from a copy passes for the one we held",
		},
		{
			name: "operators-fence-ignored", file: fileLock, pkg: pkgLease, run: "TestLostTermWritesNothing", seeds: 140,
			old: "case err == nil && epoch > c.Token.Epoch:", new: "case err == nil && epoch < 0:",
			why: "a higher epoch written by hand does not end the term",
		},
		{
			name: "released-without-mark-believed", file: fileRecord, pkg: pkgLease, run: "TestWhatAChangeProves", seeds: 100,
			old: "r.lease.Spec.RenewTime != nil &&\n\t\tr.annotation(AnnotationReleased) == releaseMark(r.RenewTime())", new: "r.lease.Spec.RenewTime != nil",
			why: "a holder cleared by hand is taken over at once, at work or not",
		},
		{
			name: "token-of-another-holder", file: fileRecord, pkg: pkgLease, run: "TestTokenIsTheHoldersOrNone",
			old: " || r.annotation(AnnotationHolder) != r.Holder() {", new: " {",
			why: "a foreign holder passes for the term before it",
		},
		{
			name: "renewals-not-seen", file: fileRecord, pkg: pkgLease, run: "TestWhatAChangeProves", seeds: 40,
			old: " && r.RenewTime().Equal(o.RenewTime())", new: "",
			why: "a renewing holder is robbed after one lease",
		},
	}
}

// ofEpoch are bugs in the token's number.
func ofEpoch() []mutant {
	return []mutant{
		{
			name: "epoch-without-plus-one", file: fileEpoch, pkg: pkgLease, run: "TestNextEpoch", seeds: 140,
			old: "return max(base+1, version), SourceStore, nil", new: "return max(base, version), SourceStore, nil",
			why: "two terms share a number",
		},
		{
			name: "epoch-without-version", file: fileEpoch, pkg: pkgLease, run: "TestNextEpoch",
			old: "return max(base+1, version), SourceStore, nil", new: "return max(base+1, version*0), SourceStore, nil",
			why: "numbers begin again after the Lease was deleted",
		},
		{
			name: "epoch-without-memory", file: fileEpoch, pkg: pkgLease, run: "TestNextEpoch",
			old: "\t\t{\"remembered epoch\", in.Remembered},\n", new: "",
			why: "a raised number is used again after the annotation is gone",
		},
		{
			name: "epoch-without-floor", file: fileEpoch, pkg: pkgLease, run: "TestNextEpoch",
			old: "\t\t{\"Floor\", in.Floor},\n", new: "",
			why: "tokens go back with the API server",
		},
		{
			name: "predecessors-version", file: fileLock, pkg: pkgLease, run: "TestEpochIsAboveWhatARestoreForgot",
			old: "in.ResourceVersion = from.ResourceVersion", new: "in.ResourceVersion = from.Record.ResourceVersion()",
			why: "the old object's version is not above the terms since",
		},
		{
			name: "garbled-version-believed", file: fileRecord, pkg: pkgLease, run: "TestNextEpoch",
			old: " || text == \"\" || text[0] < '1' || text[0] > '9' {", new: " {",
			why: "what is not a canonical decimal is taken for an epoch",
		},
	}
}

// ofView are bugs in what a standby concludes.
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
			name: "unheld-is-free", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves", seeds: 100,
			old: "case r.Released(), r.untouched() && !v.known:", new: "case r.Exists() && r.Holder() == \"\":",
			why: "a holder cleared by hand may be at work",
		},
		{
			name: "shipped-anew-is-free", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "case r.Released(), r.untouched() && !v.known:", new: "case r.Released(), r.untouched():",
			why: "delete and apply under a holder that is cut off",
		},
		{
			name: "release-not-believed", file: fileView, pkg: pkgSingleton, run: "TestGracefulHandover",
			old: "case r.Released(), r.untouched() && !v.known:", new: "case r.untouched() && !v.known:",
			why: "a handover takes a lease",
		},
		{
			name: "restore-not-noticed", file: fileView, pkg: pkgLease, run: "TestRestoredReleaseProvesNothing",
			old: "restored := v.known && r.Exists() && err == nil && order <= 0 ||", new: "restored := order > 9 && err == nil ||",
			why: "a release from before a restore frees the Lease",
		},
		{
			name: "bumped-restore-not-noticed", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "(epoch < v.epoch || ", new: "(",
			why: "the same, where the revision was bumped",
		},
		{
			name: "epoch-come-again-believed", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: " || epoch == v.epoch && r.Term() != v.term)", new: ")",
			why: "after a restore the release of an epoch's second term frees its first one's Lease",
		},
		{
			name: "client-go-cleared-ours", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: " && !oursBefore && epoch", new: " && (oursBefore || !oursBefore) && epoch",
			why: "client-go's release clears whoever holds the Lease by then",
		},
		{
			name: "client-go-cleared-unseen", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: " && !oursBefore && epoch <= v.epoch:", new: " && !oursBefore:",
			why: "a term that came and was cleared while the watch was down may be at work",
		},
		{
			name: "client-go-cleared-hidden", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "\t\tnext.owed, next.written = r.Duration(), 0\n", new: "\t\tnext.owed, next.written, next.hidden = r.Duration(), 0, Instant{}\n",
			why: "client-go's release frees also the claim that it had covered up",
		},
		{
			name: "takeover-ends-hidden", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "\tcase explained:", new: "\tcase explained:\n\t\tnext.hidden = Instant{}",
			why: "one that knew nothing took over; its release frees what we had seen covered up",
		},
		{
			name: "any-release-ends-hidden", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "if v.hider != \"\" && v.hider == r.Term() {", new: "if true {",
			why: "another's release frees the claim that is hidden",
		},
		{
			name: "one-of-two-hidden", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "v.hider != v.term && v.hidden.After(o.At) {", new: "false {",
			why: "of two claims that are hidden, the later one's release frees both",
		},
		{
			name: "own-release-not-enough", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "if v.hider != \"\" && v.hider == r.Term() {", new: "if false {",
			why: "an edit, and the holder's own release is waited with for a lease",
		},
		{
			name: "hidden-claim-forever", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "epoch <= v.epoch && o.At.Sub(v.FreeAt()) >= 0:", new: "epoch <= v.epoch && o.At.Sub(v.FreeAt()) < 0:",
			why: "each of client-go's terms starts the wait anew, although nothing was left to hide",
		},
		{
			name: "shorter-lease-believed", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "= max(leaseDuration, r.Duration()), r.Duration()", new: "= r.Duration(), r.Duration()",
			why: "an edited duration takes the Lease from a holder at work",
		},
		{
			name: "longer-lease-forgotten", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "o.At.Add(max(leaseDuration, v.written))", new: "o.At.Add(leaseDuration)",
			why: "a deletion forgets that the holder had a longer lease",
		},
		{
			name: "edited-duration-kept", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "if !v.moved(r) {", new: "if false {",
			why: "a slip of the pen keeps everybody waiting for a day",
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
			old: "Spec: coordv1.LeaseSpec{RenewTime: now()},\n", new: "",
			why: "without its mark, which anybody can take away, it passes for a first install",
		},
		{
			name: "any-change-starts-the-wait", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "if v.known && o.Record.sameClaim(v.Record()) {", new: "if v.known && o.ResourceVersion == v.last.ResourceVersion {",
			why: "somebody who edits labels keeps a dead holder alive",
		},
		{
			name: "wait-from-the-question", file: fileView, pkg: pkgLease, run: "TestWaitCountsFromTheAnswer",
			old: "next.since = o.At", new: "next.since = o.Asked",
			why: "a List may show a write that is younger than its question",
		},
		{
			name: "last-number-remembered", file: fileView, pkg: pkgSingleton, run: "TestEpochExhausted",
			old: "err == nil && epoch > v.epoch && epoch < math.MaxInt64 {", new: "err == nil && epoch > v.epoch && epoch <= math.MaxInt64 {",
			why: "one slip of the pen and this process never leads again",
		},
	}
}
