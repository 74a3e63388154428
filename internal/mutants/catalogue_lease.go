package main

// ofTime are bugs in what a term's time is counted from (rules T1, T7, R1 and A3).
func ofTime() []mutant {
	return []mutant{
		{
			name: "renewal-counts-from-answer", file: fileLock, pkg: pkgLease, run: "TestRenewalCountsFromSending", seeds: 180,
			old: "sent := l.Clock.Now()\n\tstored, err := l.prolong(ctx, c)\n\tif err == nil {\n",
			new: "stored, err := l.prolong(ctx, c)\n\tsent := l.Clock.Now()\n\tif err == nil {\n",
			why: "a late answer keeps work alive beside its successor",
		},
		{
			name: "acquire-counts-from-answer", file: fileLock, pkg: pkgLease, run: "TestAcquireAcknowledgedTooLate",
			old: "sent := l.Clock.Now()\n\tstored, err := l.swap(ctx, from, next, 0)\n",
			new: "stored, err := l.swap(ctx, from, next, 0)\n\tsent := l.Clock.Now()\n",
			why: "a late acquire starts work although its time is over",
		},
		{
			name: "late-acquire-accepted", file: fileTenure, pkg: pkgLease, run: "TestAcquireHeardTooLate",
			old: "case a.Err == nil && now.Sub(a.Claim.Sent) < t.self.Timing.RenewDeadline:",
			new: "case a.Err == nil && t.self.Timing.RenewDeadline > 0:",
			why: "an acquire acknowledged after its validity becomes a claim",
		},
		{
			name: "late-acquire-at-the-limit", file: fileTenure, pkg: pkgLease, run: "TestAcquireHeardTooLate",
			old: "now.Sub(a.Claim.Sent) < t.self.Timing.RenewDeadline:",
			new: "now.Sub(a.Claim.Sent) <= t.self.Timing.RenewDeadline:",
			why: "a term that is valid for no time at all",
		},
		{
			name: "adopt-without-renewing", file: fileLock, pkg: pkgLease, run: "TestAcquireConflictsWithItself",
			old: "return l.Renew(ctx, c.Rebase(o.Record))",
			new: "c.Record, c.Sent = o.Record, o.At\n\t\treturn c, nil",
			why: "a look counts as an acknowledgement; the write may be a lease old",
		},
		{
			name: "adopt-without-term", file: fileLock, pkg: pkgLease, run: "TestEarlierTermIsNotAdopted",
			old: "case c.Standing(o.Record) == nil:\n\t\treturn l.Renew(ctx, c.Rebase(o.Record))",
			new: "case o.Record.Holder() == l.Identity:\n\t\tc.Record, c.Sent = o.Record, sent\n\t\treturn c, nil",
			why: "an earlier term's record is adopted under a token that was never written",
		},
		{
			name: "adopt-over-a-fence", file: fileClaim, pkg: pkgLease, run: "TestFencedAcquireIsNotAdopted",
			old: "return ok && (token == c.Token || token == c.written()) &&", new: "return ok && token.Term == c.Token.Term &&",
			why: "a term that an operator fenced while it began is begun",
		},
		{
			name: "requests-without-deadline", file: fileWrite, pkg: pkgLease, run: "TestEveryRequestHasADeadline", seeds: 40,
			old: "ctx, cancel := context.WithTimeout(ctx, l.Timing.RenewDeadline)\n\tdefer cancel()\n\tif r := l.refused",
			new: "ctx, cancel := context.WithTimeout(ctx, 2*l.Timing.RenewDeadline)\n\tdefer cancel()\n\tif r := l.refused",
			why: "one lost packet costs the term",
		},
		{
			name: "duration-is-the-deadline", file: fileWrite, pkg: pkgLease, run: "TestAcquireRenewRelease",
			old: "return int32(l.Timing.LeaseDuration / time.Second)", new: "return int32(l.Timing.RenewDeadline / time.Second)",
			why: "standbys wait too short: no stop budget is left",
		},
	}
}

// ofWrites are bugs in what is written, and over what (rules W6 to W8, E5 and H7).
func ofWrites() []mutant {
	return []mutant{
		{
			name: "update-without-uid", file: fileWrite, pkg: pkgLease, run: "TestRenewalOfADeletedLease",
			old: "return l.client.Update(ctx, next.DeepCopy(), ",
			new: "next := next.DeepCopy()\n\t\tnext.UID = \"\"\n\t\treturn l.client.Update(ctx, next.DeepCopy(), ",
			why: "a renewal of a deleted Lease creates it",
		},
		{
			name: "update-without-version", file: fileWrite, pkg: pkgLease, run: "TestFallbackLosesTheRace",
			old: "return l.client.Update(ctx, next.DeepCopy(), ",
			new: "next := next.DeepCopy()\n\t\tnext.ResourceVersion = \"\"\n\t\treturn l.client.Update(ctx, next.DeepCopy(), ",
			why: "no compare-and-swap: the last writer wins",
		},
		{
			name: "release-over-a-fresh-read", file: fileLockEnd, pkg: pkgLease, run: "TestLostTermWritesNothing",
			old: "err := l.insist(ctx, &c, releasable, release(l.swap), release)",
			new: "_ = releasable\n\to, err := l.List(ctx)\n\tif err != nil || !o.Record.Exists() {\n\t\treturn err\n\t}\n\tc = c.Rebase(o.Record)\n\terr = release(l.swap)",
			why: "client-go's: it clears the successor's record",
		},
		{
			name: "reread-without-standing", file: fileLock, pkg: pkgLease, run: "TestLostTermWritesNothing", seeds: 40,
			old: "return c.Rebase(o.Record), stands(o.Record)", new: "return c.Rebase(o.Record), nil",
			why: "after a conflict it writes over whoever is there",
		},
		{
			name: "rewrites-without-end", file: fileLock, pkg: pkgLease, run: "TestRewritesEnd",
			old: "if again == rewrites {\n\t\t\treturn err\n\t\t}\n\t\terr = write(swap)",
			new: "err = write(swap)",
			why: "under a storm of edits a renewal hammers the API server for ever",
		},
		{
			name: "unexplained-conflict-insisted", file: fileLock, pkg: pkgLease, run: "TestUnexplainedConflict",
			old: "== before && again > 0 {", new: "== before && again > rewrites {",
			why: "a broken webhook is asked again at once",
		},
		{
			name: "raise-over-any-epoch", file: fileWrite, pkg: pkgLease, run: "TestRaiseStopsAtTheOperatorsFence",
			old: "\t\toperation{\"test\", path, strconv.FormatInt(c.Token.Epoch, 10)},\n", new: "",
			why: "a raise goes over the operator's fence",
		},
		{
			name: "raise-over-the-operators-fence", file: fileClaim, pkg: pkgSingleton, run: "TestFenceUnderARaise",
			old: "epoch > c.Token.Epoch && epoch != c.Lift:", new: "epoch > c.Token.Epoch && c.Lift == 0:",
			why: "the same, while a raise has no answer",
		},
		{
			name: "fence-taken-for-a-raise", file: fileTenure, pkg: pkgSingleton, run: "TestFenceUnderARaise",
			old: "(t.raise.id != 0 && epoch == t.raise.to ||",
			new: "(t.raise.id != 0 && epoch > 0 ||",
			why: "the operator's fence is not heeded for as long as raises hang",
		},
		{
			name: "own-raise-not-recognised", file: fileClaim, pkg: pkgLease, run: "TestRaiseThatWasSentTwice|TestRaiseThatMayHaveArrived",
			old: "epoch > c.Token.Epoch && epoch != c.Lift:", new: "epoch > c.Token.Epoch:",
			why: "a raise that the client sent again ends its own term",
		},
		{
			name: "raise-by-version", file: fileLockEnd, pkg: pkgLease, run: "TestRaise$",
			old: "stored, err := l.lift(ctx, c)", new: "stored, err := l.swap(ctx, c.Record, l.renewed(c), 0)",
			why: "on a slow server a raise loses to the renewals of its own term",
		},
		{
			name: "raise-not-sent-again", file: fileWrite, pkg: pkgSingleton, run: "TestRaiseIsSentAgain",
			old: "next.Annotations[AnnotationEpoch]}), next, l.Timing.RequestTimeout())", new: "next.Annotations[AnnotationEpoch]}), next, 0)",
			why: "a raise that is swallowed costs RenewDeadline",
		},
		{
			name: "raise-in-a-hurry", file: fileReign, pkg: pkgSingleton, run: "TestRaiseOnASlowAPIServer",
			old: "g, most := r.reign, r.config.RenewDeadline\n",
			new: "g, most := r.reign, r.config.RenewDeadline/2\n",
			why: "no term begins on a slow server where a guard's mark is higher",
		},
		{
			name: "renewal-beside-a-raise-not-counted", file: fileTenure, pkg: pkgSingleton, run: "TestRaiseOnASlowAPIServer",
			old: "if !a.Claim.Sent.After(t.claim.Sent) {",
			new: "if true {",
			why: "on a slow server the renewals beside a raise are lost, and with them the term",
		},
		{
			name: "raised-epoch-forgotten", file: fileLockEnd, pkg: pkgLease, run: "TestRaiseThatMayHaveArrived",
			old: "case err != nil && !errors.Is(err, ErrConflict):\n\t\treturn c, err\n", new: "case err != nil && !errors.Is(err, ErrConflict):\n\t\treturn had, err\n",
			why: "a raise whose answer is lost fences its own term",
		},
		{
			name: "two-raises-at-once", file: fileLockEnd, pkg: pkgSingleton, run: "TestTwoRaisesOfATerm",
			old: "if c.Lift > 0 { //", new: "if c.Lift < 0 { //",
			why: "a raise that arrives late, after the next one was sent, ends its own term",
		},
		{
			name: "one-of-two-copies-refused", file: fileLockEnd, pkg: pkgSingleton, run: "TestRaiseBesideAForbiddenCopy",
			old: "return !repeated && (", new: "return (repeated || !repeated) && (",
			why: "a raise of which one copy is refused, and another arrives, ends its own term",
		},
		{
			name: "raise-under-way-is-a-refusal", file: fileAnnounce, pkg: pkgSingleton, run: "TestRaiseBesideAnAnnouncement",
			old: "case errors.Is(liftErr, errRaising):", new: "case liftErr == errRaising && t == nil:",
			why: "an announcement beside a raise ends the term",
		},
		{
			name: "refused-raise-remembered", file: fileLockEnd, pkg: pkgLease, run: "TestRaiseThatIsRefused",
			old: "case err != nil && notWritten(err):", new: "case false:",
			why: "an epoch that was never written is taken for the term's own when an operator writes it",
		},
		{
			name: "raise-that-arrived-not-announced", file: fileReign, pkg: pkgSingleton, run: "TestRaiseThatArrivedUnheard",
			old: "arrived := a.raise == nil && g.tenure",
			new: "arrived := a.raise != nil && g.tenure",
			why: "guards refuse a token that they have not been told of",
		},
		{
			name: "raise-shown-before-it-is-there", file: fileClaim, pkg: pkgSingleton, run: "TestRaisedEpochIsShownOnceItIsOnTheLease",
			old: "\tc.Lift = max(c.Lift, a.Lift)\n", new: "\tc.Token.Epoch = max(c.Token.Epoch, a.Lift)\n",
			why: "a term shows an epoch that the Lease does not have, and its successor's is lower",
		},
		{
			name: "release-repeated-over-a-put-back", file: fileLockEnd, pkg: pkgSingleton, run: "TestReleaseIsNotRepeatedOverAPutBack",
			old: "return l.unbroken(ctx, c, r)", new: "return nil",
			why: "a release that arrived is written again, over a record that covers another's term",
		},
		{
			name: "update-past-the-cache-sent-once", file: fileWrite, pkg: pkgLease, run: "TestReleasePastTheCacheIsSentAgain",
			old: "stored, err := l.update(ctx, next, beside)", new: "stored, err := l.update(ctx, next, 0)",
			why: "an update that is swallowed costs the release",
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
			old: "\tnext.Annotations[AnnotationReleased] = releaseMark(next.Spec.RenewTime.Time, c.Record.ResourceVersion())\n",
			new: "",
			why: "a handover takes a lease",
		},
		{
			name: "holder-not-reasserted", file: fileWrite, pkg: pkgLease, run: "TestRenewRepairsAnnotations|TestAcquireRenewRelease",
			old: "\tnext.Annotations[AnnotationHolder] = l.Identity\n", new: "",
			why: "nobody can read the token",
		},
	}
}

// ofStanding are bugs in telling one's own term (rules E2 to E4).
func ofStanding() []mutant {
	return []mutant{
		{
			name: "term-not-compared", file: fileClaim, pkg: pkgLease, run: "TestLostTermWritesNothing",
			old: "case r.Term() != \"\" && r.Term() != c.Token.Term,\n\t\tr.Term()", new: "case r.Term()",
			why: "two terms of one identity take each other for themselves",
		},
		{
			name: "acquire-time-not-compared", file: fileClaim, pkg: pkgLease, run: "TestLostTermWritesNothing",
			old: ",\n\t\tr.Term() == \"\" && !r.AcquireTime().Equal(c.Record.AcquireTime()):", new: ":",
			why: "with the annotations removed any term of ours is this one",
		},
		{
			name: "uid-not-compared", file: fileClaim, pkg: pkgLease, run: "TestLostTermWritesNothing",
			old: "case !r.Exists() || r.UID() != c.Record.UID():", new: "case !r.Exists():",
			why: "a Lease made anew from a copy passes for the one we held",
		},
		{
			name: "operators-fence-ignored", file: fileClaim, pkg: pkgLease, run: "TestLostTermWritesNothing", seeds: 140,
			old: "epoch > c.Token.Epoch && epoch != c.Lift:", new: "epoch < 0:",
			why: "a higher epoch written by hand does not end the term",
		},
		{
			name: "released-without-mark-believed", file: fileRecord, pkg: pkgLease, run: "TestWhatAChangeProves|TestReleasedIsProvenByItsMark",
			old: "_, released := r.releasedFrom()\n\treturn released",
			new: "return r.Exists() && r.Holder() == \"\" && r.lease.Spec.RenewTime != nil",
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

// ofEpoch are bugs in the token's number (rules E1 and E6).
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
