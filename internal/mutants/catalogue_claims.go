package main

// ofClaims are bugs in what is taken for the same claim, and for proof (rules C1 to C9).
func ofClaims() []mutant {
	return []mutant{
		{
			name: "fenced-not-released", file: fileHolding, pkg: pkgSingleton, run: "TestFencedByHand",
			old: "case valid, tenure.Fenced():",
			new: "case valid:",
			why: "an epoch raised by hand costs a lease duration of nobody",
		},
		{
			name: "any-loss-is-released", file: fileClaim, pkg: pkgLease, run: "TestLostTermWritesNothing",
			old: "if !ok || lost.Loss == LossFenced {", new: "if !ok || lost != nil {",
			why: "a release over a Lease that names another holder",
		},
		{
			name: "mistyped-epoch-written-back", file: fileWrite, pkg: pkgLease, run: "TestFencedTermIsReleased",
			old: "token.Epoch = max(token.Epoch, epoch)", new: "_ = epoch",
			why: "a release lowers the epoch that an operator has raised",
		},
		{
			name: "no-rush-on-a-slow-wire", file: filePulse, pkg: pkgSingleton, run: "TestSlowWire",
			old: "return t.pulse.took > t.self.Timing.RenewDeadline/2",
			new: "return t.pulse.took > t.self.Timing.RenewDeadline*2",
			why: "where a write takes most of RenewDeadline, the next one's answer comes too late",
		},
		{
			name: "shortened-within-a-term", file: fileChange, pkg: pkgSingleton, run: "TestShortenedUnderATermThatWasShown",
			old: "(!v.shows(o) || r.Term() != \"\" && v.Record().Duration() <= MaxLeaseDuration)", new: "!v.shows(o)",
			why: "an edit that shortens the duration and moves renewTime frees the Lease of a holder that is cut off",
		},
		{
			name: "turns-with-the-next", file: filePulse, pkg: pkgSingleton, run: "TestSlowAdmissionNarrowly",
			old: "!t.rushes() && now.Sub(one.sent) < period/momentShare",
			new: "!t.rushes() && now.Sub(one.sent) < 0",
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
			old: "released := shown && r.releases(before)", new: "released := r.releases(before) || r.Released() && (shown || !shown)",
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
			name: "release-of-another-holder", file: fileChange, pkg: pkgLease, run: "TestReleasesNamesTheRecord",
			old: "before.Term() == \"\" && before.Holder() == r.annotation(AnnotationHolder)", new: "before.Term() == \"\"",
			why: "where another elector holds the Lease, a release of ours frees it",
		},
		{
			name: "release-of-a-bare-term-not-believed", file: fileChange, pkg: pkgLease, run: "TestReleasesNamesTheRecord",
			old: "same := before.Term() == r.Term() ||", new: "same := before.Term() == r.Term() || false &&",
			why: "annotations removed by hand while work drains cost a lease duration",
		},
		{
			name: "hider-is-the-greatest", file: fileChange, pkg: pkgLease, run: "TestWhatAChangeProves",
			old: " || v.Record().Term() != \"\" && v.Record().Term() != v.term {", new: " {",
			why: "the release of one term frees another that was covered up",
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
			old: "epoch > c.Token.Epoch && epoch != c.Lift:", new: "epoch > c.Token.Epoch && r.Term() != \"\":",
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
			old: "case mine && r.UID() == before.UID():", new: "case mine && before.UID() != \"none\":",
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
			name: "seat-from-now-on", file: fileCandidate, pkg: pkgSingleton, run: "TestDeletedLeaseIsNotTakenTooLate",
			old: "c.view = c.view.Vacated(t.ValidUntil())",
			new: "c.view = c.view.Vacated(t.ValidUntil().Add(c.self.Timing.LeaseDuration))",
			why: "the right to the seat outlives the term",
		},
		{
			name: "own-clearing-unnoticed", file: fileHolding, pkg: pkgSingleton, run: "TestLeaseClearedAgainAndAgain",
			old: "case cause.Reason == ReasonDeleted, cause.Reason == ReasonCleared,",
			new: "case cause.Reason == ReasonDeleted,",
			why: "an edit costs a lease although the holder is at hand",
		},
	}
}
