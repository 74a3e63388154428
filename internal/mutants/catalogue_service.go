package main

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
			name: "last-number-raised-to", file: fileLockEnd, pkg: pkgLease, run: "TestRaise",
			old: "if mark >= maxEpoch {", new: "if mark >= 2*maxEpoch {",
			why: "the same, by a guard's mark",
		},
	}
}

// ofService are bugs in having somebody at work again, and saying why there is nobody (G4).
func ofService() []mutant {
	return []mutant{
		{
			name: "seat-created-without-a-pause", file: fileSettle, pkg: pkgSingleton, run: "TestSeatThatMayNotBeCreated",
			old: "\t\t\tr.retryAt = r.createAt\n", new: "\t\t\tr.retryAt = time.Time{}\n",
			why: "whose Lease was deleted, and who may not create one, asks without a pause",
		},
		{
			name: "reads-end-an-outage-of-writes", file: fileSettle, pkg: pkgSingleton, run: "TestFailingWritesAreToldOnceInAWhile",
			old: "\t\treturn taking\n", new: "\t\treturn standingBy\n",
			why: "where writes fail and reads work, two lines for each try",
		},
		{
			name: "unanswered-untold", file: fileKeeper, pkg: pkgSingleton, run: "TestUnansweredRenewalsAreTold",
			old: "\t\tk.unanswered()\n", new: "",
			why: "a term that nobody answers ends without a word before",
		},
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
