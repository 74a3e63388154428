package main

// ofTests are bugs in what a write tests, and is sent and heard (rules W1 to W9, R1 to R6).
func ofTests() []mutant {
	return []mutant{
		{
			name: "renewal-without-term", file: fileWrite, pkg: pkgLease, run: "TestLostTermWritesNothing|TestLate",
			old: "\t\t{\"test\", annotationPath(AnnotationTerm), next.Annotations[AnnotationTerm]},\n",
			new: "",
			why: "a late renewal prolongs another term of one process",
		},
		{
			name: "renewal-without-holder", file: fileWrite, pkg: pkgLease, run: "TestLostTermWritesNothing",
			old: "\t\t{\"test\", \"/spec/holderIdentity\", next.Spec.HolderIdentity},\n",
			new: "",
			why: "a renewal over a cleared holder looks like a claim",
		},
		{
			name: "renewal-without-uid", file: fileWrite, pkg: pkgLease, run: "TestLostTermWritesNothing",
			old: "\t\t{\"test\", \"/metadata/uid\", next.UID},\n",
			new: "",
			why: "a renewal lands on a copy of the Lease that was deleted",
		},
		{
			name: "swap-without-uid", file: fileWrite, pkg: pkgLease, run: "TestTakeTestsEveryField",
			old: "{{\"test\", \"/metadata/uid\", was.UID}, {\"test\", \"/metadata/resourceVersion\", was.ResourceVersion}}", new: "{{\"test\", \"/metadata/resourceVersion\", was.ResourceVersion}}",
			why: "a takeover lands on another Lease",
		},
		{
			name: "swap-without-version", file: fileWrite, pkg: pkgLease, run: "TestTakeTestsEveryField",
			old: "{{\"test\", \"/metadata/uid\", was.UID}, {\"test\", \"/metadata/resourceVersion\", was.ResourceVersion}}", new: "{{\"test\", \"/metadata/uid\", was.UID}}",
			why: "an edit puts back what was seen, over another term",
		},
		{
			name: "swap-without-holder", file: fileWrite, pkg: pkgLease, run: "TestTakeTestsEveryField",
			old: "ops = append(ops, operation{\"test\", f.path, f.value})",
			new: "if f.path != \"/spec/holderIdentity\" {\n\t\t\tops = append(ops, operation{\"test\", f.path, f.value})\n\t\t}",
			why: "after a restore the version comes to mean another record",
		},
		{
			name: "swap-without-renew-time", file: fileWrite, pkg: pkgLease, run: "TestTakeTestsEveryField",
			old: "ops = append(ops, operation{\"test\", f.path, f.value})",
			new: "if f.path != \"/spec/renewTime\" {\n\t\t\tops = append(ops, operation{\"test\", f.path, f.value})\n\t\t}",
			why: "the same: a live renewal comes to be that version",
		},
		{
			name: "swap-without-annotations", file: fileWrite, pkg: pkgLease, run: "TestTakeTestsEveryField",
			old: "ops = append(ops, operation{\"test\", path, old})", new: "_ = old",
			why: "the same: another term",
		},
		{
			name: "swap-over-new-annotations", file: fileWrite, pkg: pkgLease, run: "TestTakeTestsEveryField",
			old: "ops = append(ops, operation{\"test\", path, nil})", new: "_ = path",
			why: "the same, where there were none",
		},
		{
			name: "ensure-counts-from-answer", file: fileLock, pkg: pkgLease, run: "TestEveryWriteCountsFromSending",
			old: "sent := l.Clock.Now()\n\tstored, err := l.prolong(ctx, c)\n\tswitch {",
			new: "stored, err := l.prolong(ctx, c)\n\tsent := l.Clock.Now()\n\tswitch {",
			why: "a late answer keeps work alive beside its successor",
		},
		{
			name: "repair-counts-from-answer", file: fileLock, pkg: pkgLease, run: "TestEveryWriteCountsFromSending",
			old: "sent := l.Clock.Now()\n\t\tstored, err := swap(ctx, c.Record, l.renewed(c), 0)\n",
			new: "stored, err := swap(ctx, c.Record, l.renewed(c), 0)\n\t\tsent := l.Clock.Now()\n",
			why: "the same",
		},
		{
			name: "raise-counts-from-answer", file: fileLockEnd, pkg: pkgLease, run: "TestEveryWriteCountsFromSending",
			old: "sent := l.Clock.Now()\n\tstored, err := l.lift(ctx, c)\n",
			new: "stored, err := l.lift(ctx, c)\n\tsent := l.Clock.Now()\n",
			why: "the same",
		},
		{
			name: "latest-answer-wins", file: fileClaim, pkg: pkgLease, run: "TestRenewalsAnsweredOutOfOrder",
			old: "if a.Sent.After(c.Sent) {", new: "if a.Sent != (Instant{}) {",
			why: "an answer to an old renewal shortens the term",
		},
		{
			name: "older-base-wins", file: fileClaim, pkg: pkgLease, run: "TestRenewalsAnsweredOutOfOrder",
			old: "if !c.Record.Exists() || Newer(a.Record.ResourceVersion(), c.Record.ResourceVersion()) {", new: "if a.Record.Exists() {",
			why: "a release is made over a record that is not there any more",
		},
		{
			name: "over-term-revived", file: fileTenure, pkg: pkgLease, run: "TestLateAnswerRevivesNothing",
			old: "\t\tif a.Err == nil {\n\t\t\tt.claim = t.claim.Acknowledged(a.Claim)\n\t\t}\n",
			new: "\t\tif a.Err == nil {\n\t\t\tt.stage = held\n\t\t\treturn t.prolonged(a, now)\n\t\t}\n",
			why: "a late answer makes a term valid again that was given up",
		},
		{
			name: "version-left-not-named", file: fileTenure, pkg: pkgLease, run: "TestLateAnswerRevivesNothing",
			old: "\t\tif a.Err == nil {\n\t\t\tt.claim = t.claim.Acknowledged(a.Claim)\n\t\t}\n",
			new: "",
			why: "a release meets the renewal before it",
		},
		{
			name: "waits-beyond-the-deadline", file: fileAsk, pkg: pkgLease, run: "TestRequestThatDoesNotEnd",
			old: "\t\tcase <-ctx.Done():\n\t\t\treturn none, unanswered(ctx)\n",
			new: "\t\tcase <-ctx.Done():\n\t\t\tanswer := <-answers\n\t\t\treturn answer.value, answer.err\n",
			why: "a credential plugin that hangs keeps a term that is over",
		},
		{
			name: "not-asked-beside", file: fileAsk, pkg: pkgLease, run: "TestAskedAgainBeside",
			old: "_ = send() // the one under way may still be answered", new: "again = nil",
			why: "a request that was swallowed costs the whole deadline",
		},
		{
			name: "clients-without-bound", file: fileAsk, pkg: pkgLease, run: "TestMostUnderway",
			old: "if u.Load() >= mostUnderway {", new: "if u.Load() < 0 {",
			why: "a client that never returns costs a goroutine for each attempt",
		},
		{
			name: "watch-may-hang", file: fileWatch, pkg: pkgLease, run: "TestWatchThatDoesNotOpen",
			old: "\tcase <-timer.C:\n\t\tcancel()\n\t\treturn nil, ErrUnopened\n",
			new: "",
			why: "behind a proxy that buffers, a standby is deaf for ten minutes",
		},
		{
			name: "ghost-believed", file: fileView, pkg: pkgLease, run: "TestListsOfACacheThatIsAhead",
			old: "case v.Outdated(*o):\n",
			new: "case v.Outdated(*o) && !o.Listed:\n",
			why: "what the store lost, its cache shows for ever: nobody takes over",
		},
		{
			name: "list-ends-a-term", file: fileTenure, pkg: pkgLease, run: "TestLossThatAListShows",
			old: "case o.Listed && !o.Stored:", new: "case o.Listed && o.Stored:",
			why: "the same: whoever takes over stops again",
		},
		{
			name: "confirmed-by-the-older-look", file: fileRead, pkg: pkgLease, run: "TestConfirmAsksAgain",
			old: "(!list.o.Record.Exists() || Newer(list.o.Record.ResourceVersion(), o.ResourceVersion)) {", new: "(list.o.Record.Exists() && !list.o.Record.Exists()) {",
			why: "who was told of the successor takes the Lease beside it after a restore",
		},
		{
			name: "confirmed-by-a-list", file: fileStandby, pkg: pkgSingleton, run: "TestListThatAGetRefutedEndsNoTerm|TestListThatOutlasts",
			old: "seen, err = r.lock.Confirm(ctx)", new: "seen, err = r.lock.List(ctx)",
			why: "the same: each write conflicts",
		},
		{
			name: "refusal-asked-of-a-list", file: fileRead, pkg: pkgLease, run: "TestRenewUnderACacheThatIsAhead|TestTakeUnderACache|TestAcquire",
			old: "\to, err := l.get(ctx)\n\tif unanswerable(err) {",
			new: "\to, err := l.List(ctx)\n\tif unanswerable(err) {",
			why: "a cache that is ahead of its store ends the term",
		},
		{
			name: "no-update-past-the-cache", file: fileLock, pkg: pkgLease, run: "TestRenewUnderACacheThatIsAhead",
			old: "\t\t\tswap = l.replace\n",
			new: "\t\t\treturn err\n",
			why: "a term that was restored cannot be repaired or released",
		},
		{
			name: "no-takeover-past-the-cache", file: fileLock, pkg: pkgLease, run: "TestTakeUnderACacheThatIsAhead",
			old: "case err != nil && apierrors.IsInvalid(err) && o.Record.identical(from):", new: "case err != nil && apierrors.IsInvalid(err) && !o.Record.Exists():",
			why: "nobody can take what was restored under a running API server",
		},
		{
			name: "past-the-cache-in-a-hurry", file: fileWrite, pkg: pkgLease, run: "UnderACacheThatIsAhead",
			old: "ctx, cancel := context.WithTimeout(ctx, l.Timing.RenewDeadline)\n\tdefer cancel()\n\tstored, err := l.update(ctx, next, beside)",
			new: "ctx, cancel := context.WithTimeout(ctx, l.Timing.RequestTimeout())\n\tdefer cancel()\n\tstored, err := l.update(ctx, next, beside)",
			why: "the same, where admission takes a while",
		},
		{
			name: "acquire-given-up-soon", file: fileAcquire, pkg: pkgSingleton, run: "TestSlowAdmission",
			old: "giveUp := clock.Now().Add(r.config.RenewDeadline + r.config.RetryPeriod)",
			new: "giveUp := clock.Now().Add(r.config.timing().RequestTimeout())",
			why: "a server that takes 3 s for a write has no active, ever",
		},
		{
			name: "renewals-never-overlap", file: fileTenure, pkg: pkgSingleton, run: "TestFaultyRequestsShorter",
			old: "case t.InFlight() > 0 && t.updates:",
			new: "case t.InFlight() > 0:",
			why: "one renewal that is swallowed costs the term",
		},
		{
			name: "renewals-in-each-others-way", file: fileTenure, pkg: pkgSingleton, run: "TestSlowAdmission",
			old: "t.stage != acquiring && patience > 0 {",
			new: "t.stage != acquiring && patience > t.self.Timing.RenewDeadline {",
			why: "renewals are sent beside one that is not late, and begin anew when it is done",
		},
		{
			name: "ensure-without-take", file: fileLock, pkg: pkgLease, run: "TestAcquireWhoseAnswerIsLost",
			old: "\treturn l.Take(ctx, from, c)\n}",
			new: "\treturn Claim{}, err\n}",
			why: "an acquire that did not arrive is never sent again",
		},
		{
			name: "incomparable-event-shrugged-off", file: fileTenure, pkg: pkgLease, run: "TestIncomparableEvent",
			old: "if o.ResourceVersion != known && !Newer(known, o.ResourceVersion) {",
			new: "if o.Listed && o.ResourceVersion != known && !Newer(known, o.ResourceVersion) {",
			why: "work goes on beside what may be a successor",
		},
	}
}

// ofAnswers are bugs in what is believed of an answer (rule R4).
func ofAnswers() []mutant {
	return []mutant{
		{
			name: "take-answer-believed", file: fileLock, pkg: pkgLease, run: "TestLiesWithTheTimeThatWasWritten",
			old: "stored, err := l.swap(ctx, from, next, 0)\n\tif err == nil && c.holds(stored) {",
			new: "stored, err := l.swap(ctx, from, next, 0)\n\tif err == nil {",
			why: "any 200 makes a term",
		},
		{
			name: "ensure-answer-believed", file: fileLock, pkg: pkgLease, run: "TestLiesWithTheTimeThatWasWritten",
			old: "stored, err := l.prolong(ctx, c)\n\tswitch {\n\tcase err == nil && c.holds(stored):",
			new: "stored, err := l.prolong(ctx, c)\n\tswitch {\n\tcase err == nil:",
			why: "the same",
		},
		{
			name: "renewal-answer-believed", file: fileWrite, pkg: pkgLease, run: "TestLyingAnswers",
			old: "stored, err := l.send(ctx, ops, next, beside)\n\tif err == nil && !stored.RenewTime().Equal(next.Spec.RenewTime.Time) {",
			new: "stored, err := l.send(ctx, ops, next, beside)\n\tif err != nil && !stored.RenewTime().Equal(next.Spec.RenewTime.Time) {",
			why: "any 200 prolongs a term",
		},
		{
			name: "same-version-believed", file: fileWrite, pkg: pkgLease, run: "TestVersionsThatDoNotChange",
			old: "if err == nil && stored.ResourceVersion() == was.ResourceVersion {", new: "if err == nil && stored.ResourceVersion() == \"\" {",
			why: "no compare-and-swap holds on a server that does not count",
		},
		{
			name: "damaged-term-not-repaired", file: fileLock, pkg: pkgLease, run: "TestRenewRepairsAnnotations",
			old: "\t\tif lost == nil && c.holds(stored) ||",
			new: "\t\tif lost == nil ||",
			why: "nobody can read the token",
		},
		{
			name: "own-acquire-not-recognised", file: fileLock, pkg: pkgLease, run: "TestAcquireConflictsWithItself",
			old: "case c.Standing(o.Record) == nil:\n",
			new: "case c.Standing(o.Record) == nil && !o.Record.Exists():\n",
			why: "an acquire that conflicts with itself costs a lease",
		},
	}
}
