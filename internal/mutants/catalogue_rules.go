package main

// ofClaims are bugs in what is taken for the same claim, and for proof (rules C1 to C9).
func ofClaims() []mutant {
	return []mutant{
		{
			name: "fenced-not-released", file: fileActive, pkg: pkgSingleton, run: "TestFencedByHand",
			old: "case valid, k.fenced:", new: "case valid:",
			why: "an epoch raised by hand costs a lease duration of nobody",
		},
		{
			name: "any-loss-is-released", file: fileClaim, pkg: pkgLease, run: "TestLostTermWritesNothing",
			old: "if !ok || lost.Loss == LossFenced {", new: "if !ok || lost != nil {",
			why: "a release over a Lease that names another holder",
		},
		{
			name: "mistyped-epoch-written-back", file: fileWrite, pkg: pkgLease, run: "TestFencedTermIsReleased",
			old: "c.Token.Epoch = max(c.Token.Epoch, epoch)", new: "_ = epoch",
			why: "a release lowers the epoch that an operator has raised",
		},
		{
			name: "no-rush-on-a-slow-wire", file: fileKeeper, pkg: pkgSingleton, run: "TestSlowWire",
			old: "return r.took > r.config.RenewDeadline/2", new: "return r.took > r.config.RenewDeadline*2",
			why: "where a write takes most of RenewDeadline, the next one's answer comes too late",
		},
		{
			name: "shortened-within-a-term", file: fileChange, pkg: pkgSingleton, run: "TestShortenedUnderATermThatWasShown",
			old: "(!v.shows(o) || r.Term() != \"\" && v.Record().Duration() <= MaxLeaseDuration)", new: "!v.shows(o)",
			why: "an edit that shortens the duration and moves renewTime frees the Lease of a holder that is cut off",
		},
		{
			name: "turns-with-the-next", file: fileKeeper, pkg: pkgSingleton, run: "TestSlowAdmissionNarrowly",
			old: "!k.r.rushes() && age < k.r.config.RetryPeriod/momentShare", new: "!k.r.rushes() && age < 0",
			why: "of two renewals sent a moment apart the older one wins, round after round, until the term is over",
		},
		{
			name: "same-claim-across-a-gap", file: fileView, pkg: pkgLease, run: "TestPutBackAcrossAGap",
			old: "v.known && v.follows(o) && o.Record.sameClaim(v.Record())", new: "v.known && o.Record.sameClaim(v.Record())",
			why: "an edit that puts a record back hides a term that was not shown",
		},
		{
			name: "any-event-follows", file: fileView, pkg: pkgLease, run: "TestContiguousEdits",
			old: "return v.shows(o) ||", new: "return o.After != \"\" ||",
			why: "the same, by a watch that lost its place",
		},
		{
			name: "release-after-any-event", file: fileChange, pkg: pkgLease, run: "TestPutBackInOneWatch",
			old: "shown := v.shows(o)", new: "shown := o.After != \"\"",
			why: "a release that was put back over a term that was not shown",
		},
		{
			name: "renew-time-stands", file: fileLock, pkg: pkgLease, run: "TestRenewTimeAlwaysMoves",
			old: "if last != nil && next <= last.wall {", new: "if last == nil && next < 0 {",
			why: "where the wall clock stands, nobody sees a renewal",
		},
		{
			name: "renew-time-from-the-record", file: fileLock, pkg: pkgLease, run: "TestRenewTimeAlwaysMoves",
			old: "&& next == before.UnixMicro() {\n\t\t\tnext++", new: "&& next <= before.UnixMicro() {\n\t\t\tnext = before.UnixMicro() + 1",
			why: "after a clock that was ahead client-go's elector, which sees whole seconds, sees no renewal",
		},
		{
			name: "edited-untouched-believed", file: fileView, pkg: pkgLease, run: "TestProved",
			old: "r.untouched() && !before.Exists()", new: "r.untouched() && (!before.Exists() || before.untouched())",
			why: "who edits a manifest that was applied over a term gives it away",
		},
		{
			name: "manifest-over-a-term-believed", file: fileView, pkg: pkgLease, run: "TestProved|TestBefore",
			old: "(r.untouched() && !before.Exists() || r.releases(before))", new: "(r.untouched() || r.releases(before))",
			why: "kubectl replace beside a new process: two at work",
		},
		{
			name: "shipped-needs-no-proof", file: fileChange, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "case r.untouched() && !v.known:\n\t\treturn asserted",
			new: "case r.untouched() && !v.known:\n\t\treturn givenUp",
			why: "the same",
		},
		{
			name: "release-needs-no-proof", file: fileChange, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: "if shown && r.releases(before) {", new: "if shown || !shown {",
			why: "a release that was put back is believed",
		},
		{
			name: "compacted-is-proof", file: fileRead, pkg: pkgLease, run: "TestBefore",
			old: "errors.Is(err, ErrRejected):\n\t\treturn Record{}, false, nil",
			new: "errors.Is(err, ErrRejected):\n\t\treturn Record{}, true, nil",
			why: "what the server has forgotten counts as never there",
		},
		{
			name: "no-look-is-proof", file: fileView, pkg: pkgLease, run: "TestProved",
			old: "if looked && (", new: "if v.known && (",
			why: "the same",
		},
		{
			name: "present-taken-for-the-past", file: fileRead, pkg: pkgLease, run: "TestBeforeOfAServer",
			old: "return o.Record, o.ResourceVersion == strconv.FormatInt(version-1, 10), nil", new: "return o.Record, true, nil",
			why: "a server that does not know the option proves what it cannot",
		},
		{
			name: "edits-followed-without-end", file: fileRead, pkg: pkgLease, run: "TestBefore",
			old: "for range rewrites {", new: "for {",
			why: "a manifest with a thousand edits is a thousand requests",
		},
		{
			name: "proof-of-another-record", file: fileView, pkg: pkgLease, run: "TestProofComesTooLate",
			old: "of.UID() != r.UID() || of.ResourceVersion() != r.ResourceVersion()", new: "of.UID() != r.UID()",
			why: "what was there before one record frees the next",
		},
		{
			name: "another-uid-explained", file: fileChange, pkg: pkgLease, run: "TestAnotherUIDProvesNothing",
			old: "case replaced, !v.known && !r.Exists():", new: "case replaced && order > 9, !v.known && !r.Exists():",
			why: "one that knew nothing took the Lease that was made anew",
		},
		{
			name: "another-uids-release", file: fileChange, pkg: pkgLease, run: "TestReleasesNamesTheRecord|TestProved",
			old: "replaced == before.ResourceVersion() && r.UID() == before.UID() &&", new: "replaced == before.ResourceVersion() &&",
			why: "the release of a copy frees the Lease",
		},
		{
			name: "hidden-wait-shortened", file: fileChange, pkg: pkgLease, run: "TestSecondEditShortensNoWait",
			old: "next.hidden = later(v.debt.hidden, o.At.Add(max(leaseDuration, v.debt.written)))", new: "next.hidden = o.At.Add(max(leaseDuration, v.debt.written))",
			why: "a second edit ends the wait for the holder that the first one hid",
		},
		{
			name: "incomparable-event-ignored", file: fileView, pkg: pkgLease, run: "TestObserveDropsWhatIsOld",
			old: "case err != nil && !o.Listed:\n\t\t\treturn v.Doubt()",
			new: "case err != nil && !o.Listed:\n\t\t\treturn v",
			why: "what may be a renewal is not looked into",
		},
		{
			name: "old-news-believed", file: fileDecide, pkg: pkgLease, run: "TestDecideConfirms",
			old: "case r.Released() && now.Sub(v.last.At) < news:", new: "case r.Released():",
			why: "a release is acted on long after the store was restored",
		},
		{
			name: "fence-without-term-ignored", file: fileClaim, pkg: pkgLease, run: "TestLostTermWritesNothing",
			old: "case err == nil && epoch > c.Token.Epoch:", new: "case err == nil && epoch > c.Token.Epoch && r.Term() != \"\":",
			why: "a higher epoch is ignored when the term annotation is gone",
		},
	}
}

// ofSeat are bugs in the seat that is taken back (rules S1 to S3).
func ofSeat() []mutant {
	return []mutant{
		{
			name: "seat-across-a-gap", file: fileSeat, pkg: pkgLease, run: "TestSeat",
			old: "case r.Holder() == \"\" && v.follows(o) && !r.Released():", new: "case r.Holder() == \"\" && !r.Released():",
			why: "a successor came and went, unseen",
		},
		{
			name: "seat-on-another-uid", file: fileSeat, pkg: pkgLease, run: "TestSeat",
			old: "case mine && r.UID() == before.UID():", new: "case mine:",
			why: "a copy of our record was taken over by nobody knows whom",
		},
		{
			name: "seat-beside-a-release", file: fileSeat, pkg: pkgLease, run: "TestSeat",
			old: "v.follows(o) && !r.Released():", new: "v.follows(o):",
			why: "who released it had it",
		},
		{
			name: "seat-while-at-work", file: fileSeat, pkg: pkgLease, run: "TestSeatIsOfTheLastTerm",
			old: "v.seat = seat{term: term, own: v.Record().Holder(), open: true}", new: "v.seat = seat{term: term, own: v.Record().Holder(), open: true, until: v.seat.until}",
			why: "a new term is taken back before its work has returned",
		},
		{
			name: "seat-not-taken", file: fileDecide, pkg: pkgLease, run: "TestSeat",
			old: "case v.seated(now) && r.Exists():", new: "case v.seated(now) && r.Exists() && r.Holder() != \"\":",
			why: "each edit costs a lease of nobody at work",
		},
		{
			name: "seat-from-now-on", file: fileActive, pkg: pkgSingleton, run: "TestDeletedLeaseIsNotTakenTooLate",
			old: "r.view.Vacated(k.claim.ValidUntil(r.config.timing()))", new: "r.view.Vacated(r.config.clock.Now().Add(r.config.LeaseDuration))",
			why: "the right to the seat outlives the term",
		},
		{
			name: "own-clearing-unnoticed", file: fileActive, pkg: pkgSingleton, run: "TestLeaseClearedAgainAndAgain",
			old: "case cause.Reason == ReasonDeleted, cause.Reason == ReasonCleared,", new: "case cause.Reason == ReasonDeleted,",
			why: "an edit costs a lease although the holder is at hand",
		},
	}
}

// ofTests are bugs in what a write tests, and is sent and heard (rules W1 to W9, R1 to R6).
func ofTests() []mutant {
	return []mutant{
		{
			name: "renewal-without-term", file: fileWrite, pkg: pkgLease, run: "TestLostTermWritesNothing|TestLate",
			old: "\t\t{\"test\", annotationPath(AnnotationTerm), c.Token.Term},\n",
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
			name: "raise-counts-from-answer", file: fileLock, pkg: pkgLease, run: "TestEveryWriteCountsFromSending",
			old: "sent := l.Clock.Now()\n\tstored, err := l.swap(ctx, c.Record, l.renewed(c), 0)\n",
			new: "stored, err := l.swap(ctx, c.Record, l.renewed(c), 0)\n\tsent := l.Clock.Now()\n",
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
			name: "over-term-revived", file: fileKeeper, pkg: pkgSingleton, run: "TestLateAnswerRevivesNothing",
			old: "\t\tif a.err == nil {\n\t\t\tk.claim = k.claim.Acknowledged(a.claim)\n\t\t}\n",
			new: "\t\tif a.err == nil {\n\t\t\tk.term.over.Store(false)\n\t\t\tk.renewed(a)\n\t\t}\n",
			why: "a late answer makes a term valid again that was given up",
		},
		{
			name: "version-left-not-named", file: fileKeeper, pkg: pkgSingleton, run: "TestLateAnswerRevivesNothing",
			old: "\t\tif a.err == nil {\n\t\t\tk.claim = k.claim.Acknowledged(a.claim)\n\t\t}\n",
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
			old: "case v.Outdated(o):\n",
			new: "case v.Outdated(o) && !o.Listed:\n",
			why: "what the store lost, its cache shows for ever: nobody takes over",
		},
		{
			name: "ghost-ends-a-term", file: fileKeeper, pkg: pkgSingleton, run: "TestListThatAGetRefutedEndsNoTerm",
			old: "if k.r.view.Outdated(o) {", new: "if k.r.view.Outdated(o) && !o.Listed {",
			why: "the same: whoever takes over stops again",
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
			name: "acquire-given-up-soon", file: fileAcquire, pkg: pkgSingleton, run: "TestSlowAdmission",
			old: "giveUp := time.NewTimer(r.config.RenewDeadline + r.config.RetryPeriod)", new: "giveUp := time.NewTimer(r.config.timing().RequestTimeout())",
			why: "a server that takes 3 s for a write has no active, ever",
		},
		{
			name: "renewals-never-overlap", file: fileKeeper, pkg: pkgSingleton, run: "TestFaultyRequestsShorter",
			old: "case k.inFlight > 0 && k.r.lock.PatchRefused() != nil:", new: "case k.inFlight > 0:",
			why: "one renewal that is swallowed costs the term",
		},
		{
			name: "renewals-in-each-others-way", file: fileKeeper, pkg: pkgSingleton, run: "TestSlowAdmission",
			old: "if patience := k.patience(); k.term != nil && patience > 0 {", new: "if patience := k.patience(); k.term != nil && patience > k.r.config.RenewDeadline {",
			why: "renewals are sent beside one that is not late, and begin anew when it is done",
		},
		{
			name: "ensure-without-take", file: fileLock, pkg: pkgLease, run: "TestAcquireWhoseAnswerIsLost",
			old: "\treturn l.Take(ctx, from, c)\n}",
			new: "\treturn Claim{}, err\n}",
			why: "an acquire that did not arrive is never sent again",
		},
		{
			name: "incomparable-event-shrugged-off", file: fileKeeper, pkg: pkgSingleton, run: "TestIncomparableEvent",
			old: "if k.incomparable(o) {", new: "if k.incomparable(o) && o.Listed {",
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
			old: "\t\tif c.holds(stored) {\n",
			new: "\t\tif stored.Exists() {\n",
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

// ofRefusals are bugs in refusals, and numbers that a hand wrote (rules F2, T4 and E6).
func ofRefusals() []mutant {
	return []mutant{
		{
			name: "refusals-hours-apart", file: fileSettle, pkg: pkgSingleton, run: "TestRefusalsHoursApart",
			old: "if s.first.IsZero() || now.Sub(s.last) > 2*lease {", new: "if s.first.IsZero() {",
			why: "two single refusals end each standby",
		},
		{
			name: "refusals-with-others-between", file: fileSettle, pkg: pkgSingleton, run: "TestRefusalsWithOtherAnswersBetween",
			old: "if writes && !refused {\n\t\tr.refused = streak{}\n\t}\n",
			new: "",
			why: "a refusal that passed counts on",
		},
		{
			name: "refusals-with-failures-between", file: fileAcquire, pkg: pkgSingleton, run: "TestRefusalsWithOtherAnswersBetween",
			old: "unheard, r.refused = a.err, streak{}", new: "unheard = a.err",
			why: "an API server that restarts, and refuses before and after, ends each standby",
		},
		{
			name: "refusals-not-from-the-start", file: fileSettle, pkg: pkgSingleton, run: "TestTransientRefusalsEndNobody",
			old: "fromTheStart := !r.acquired && r.refused.first.Sub(r.began) < r.config.LeaseDuration", new: "fromTheStart := !r.acquired",
			why: "an API server that restarts ends each standby",
		},
		{
			name: "unfit-with-others-between", file: fileFences, pkg: pkgSingleton, run: "TestUnfitWithOtherAnswersBetween",
			old: "case !unfit(out.err):\n\t\tr.unfit = streak{}\n",
			new: "case !unfit(out.err):\n",
			why: "a guard that was wired wrongly for a moment ends its replicas",
		},
		{
			name: "decades-believed", file: fileChange, pkg: pkgLease, run: "TestDurationsWrittenByHand",
			old: "most := MaxLeaseDuration", new: "most := r.Duration()",
			why: "a duration written by hand keeps everybody out for 68 years",
		},
		{
			name: "last-number-minted", file: fileEpoch, pkg: pkgLease, run: "TestNextEpoch|TestEpochInputs",
			old: "if !plausible(base, in.ResourceVersion, in.Floor) {", new: "if base == math.MaxInt64 {",
			why: "one slip of the pen bricks each guard for good",
		},
		{
			name: "last-number-raised-to", file: fileLock, pkg: pkgLease, run: "TestRaise",
			old: "if mark >= maxEpoch {", new: "if mark >= 2*maxEpoch {",
			why: "the same, by a guard's mark",
		},
	}
}

// ofService are bugs in having somebody at work again, and saying why there is nobody (G4).
func ofService() []mutant {
	return []mutant{
		{
			name: "turn-counted-anew", file: fileStandby, pkg: pkgSingleton, run: "TestLoserAloneStarvesNot",
			old: "later(free.Add(r.crowd.turn))", new: "later(now.Add(r.crowd.turn))",
			why: "who lost a race and is alone now waits for ever",
		},
		{
			name: "create-refused-for-ever", file: fileSettle, pkg: pkgSingleton, run: "TestCreateAllowedLater",
			old: "time.Now().Add(r.config.RetryPeriod+chance.N(r.ctx, r.config.RetryPeriod))", new: "time.Now().Add(1<<40*r.config.RetryPeriod+chance.N(r.ctx, r.config.RetryPeriod))",
			why: "a Role that is mended helps nobody",
		},
		{
			name: "ready-without-a-lease", file: fileStatus, pkg: pkgSingleton, run: "TestWithoutCreate",
			old: "case !s.found:", new: "case !s.found && s.observed && s.holder.Self:",
			why: "all replicas are ready and none can ever work",
		},
		{
			name: "contested-untold", file: fileSettle, pkg: pkgSingleton, run: "TestContestedLeaseIsTold",
			old: "r.conflicts > fewConflicts {", new: "r.conflicts > fewConflicts && r.acquired && r.failures < 0 {",
			why: "nobody at work, and not a line of log",
		},
		{
			name: "drain-limit-untold", file: fileActive, pkg: pkgSingleton, run: "TestStuckDrainIsTold",
			old: "overrun := limit.C\n",
			new: "overrun := make(<-chan time.Time)\n",
			why: "work that never returns keeps the Lease and nobody is told",
		},
		{
			name: "resign-lost-while-acquiring", file: fileActive, pkg: pkgSingleton, run: "TestIneligibleAndResigned",
			old: "if r.resigning.Swap(false) {", new: "if r.resigning.Swap(false) && !t.Valid() {",
			why: "who asked to resign is told nothing and works on",
		},
		{
			name: "ineligible-while-acquiring", file: fileActive, pkg: pkgSingleton, run: "TestIneligibleAndResigned",
			old: "if r.ineligible.Load() {", new: "if r.ineligible.Load() && !t.Valid() {",
			why: "a replica that may not lead leads",
		},
		{
			name: "fallback-for-ever", file: fileWrite, pkg: pkgLease, run: "TestPatchRefused",
			old: "l.Clock.Since(r.since) > l.Timing.LeaseDuration", new: "l.Clock.Since(r.since) < 0",
			why: "a Role that is mended helps nobody",
		},
		{
			name: "fallback-untold", file: fileKeeper, pkg: pkgSingleton, run: "TestFallbackIsToldOnce",
			old: "if err := r.lock.PatchRefused(); err != nil {", new: "if err := r.lock.PatchRefused(); err != nil && r.acquired && r.failures < 0 {",
			why: "a slow server ends terms and nobody knows why",
		},
		{
			name: "fences-told-in-turn", file: fileAnnounce, pkg: pkgSingleton, run: "TestFencesAreToldSideBySide",
			old: "told.Go(func() {",
			new: "told.Go(func() {})\n\t\tfunc(tell func()) { tell() }(func() {",
			why: "each fence costs its time",
		},
		{
			name: "shared-release-dropped", file: fileSharedWatch, pkg: pkgSingleton, run: "TestWhatASlowSubscriberKeeps",
			old: "return b.Record.Holder() != \"\" && a.Record.Holder() == b.Record.Holder() && a.Record.Term() == b.Record.Term() &&\n\t\ta",
			new: "return a",
			why: "a slow subscriber is not shown what was released: a handover takes a lease",
		},
		{
			name: "newest-not-handed-on", file: fileAcquire, pkg: pkgSingleton, run: "TestEpochIsAboveWhatARestoreForgot",
			old: "lease.EpochInputs{Remembered: r.view.Epoch(), ResourceVersion: r.view.Newest()}", new: "lease.EpochInputs{Remembered: r.view.Epoch()}",
			why: "after a restore a number is used again",
		},
		{
			name: "vacant-without-a-holder", file: fileWrite, pkg: pkgLease, run: "TestCreateIsVacant",
			old: "Spec: coordv1.LeaseSpec{HolderIdentity: &nobody, RenewTime: l.now(time.Time{})},",
			new: "TypeMeta: metav1.TypeMeta{Kind: nobody},\n\t\tSpec: coordv1.LeaseSpec{RenewTime: l.now(time.Time{})},",
			why: "an API server with coordinated leader election crashes over it",
		},
	}
}
