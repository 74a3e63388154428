package main

// ofRefusals are bugs in refusals, and numbers that a hand wrote (rules F2, T4 and E6).
func ofRefusals() []mutant {
	return []mutant{
		{
			name: "refusals-hours-apart", file: fileRetry, pkg: pkgSingleton, run: "TestRefusalsHoursApart",
			old: "if r.first.IsZero() || now.Sub(r.last) > 2*patience {",
			new: "if r.first.IsZero() {",
			why: "two single refusals end each standby",
		},
		{
			name: "refusals-with-others-between", file: fileCandidate, pkg: pkgSingleton, run: "TestRefusalsWithOtherAnswersBetween",
			old: "\tif writes && !refused {\n\t\tc.tries.refused = retry.Refusals{}\n\t}\n",
			new: "",
			why: "a refusal that passed counts on",
		},
		{
			name: "refusals-with-failures-between", file: fileCandidate, pkg: pkgSingleton, run: "TestRefusalsWithOtherAnswersBetween",
			old: "\tc = c.clone()\n\tc.tries.refused = retry.Refusals{}\n",
			new: "\tc = c.clone()\n",
			why: "an API server that restarts, and refuses before and after, ends each standby",
		},
		{
			name: "refusals-not-from-the-start", file: fileRetry, pkg: pkgSingleton, run: "TestTransientRefusalsEndNobody",
			old: "return r.Last(patience) && r.first.Sub(began) < patience",
			new: "return r.Last(patience)",
			why: "an API server that restarts ends each standby",
		},
		{
			name: "unfit-with-others-between", file: fileFences, pkg: pkgSingleton, run: "TestUnfitWithOtherAnswersBetween",
			old: "case !unfit(out.err):\n\t\tw.unfit = retry.Refusals{}\n",
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
			name: "seat-created-without-a-pause", file: fileCandidate, pkg: pkgSingleton, run: "TestSeatThatMayNotBeCreated",
			old: "\t\t\tc.tries.retryAt = c.tries.createAt\n",
			new: "\t\t\tc.tries.retryAt = Instant{}\n",
			why: "whose Lease was deleted, and who may not create one, asks without a pause",
		},
		{
			name: "reads-end-an-outage-of-writes", file: fileStandby, pkg: pkgSingleton, run: "TestFailingWritesAreToldOnceInAWhile",
			old: "\t\treturn outage.Taking\n",
			new: "\t\treturn outage.StandingBy\n",
			why: "where writes fail and reads work, two lines for each try",
		},
		{
			name: "unanswered-untold", file: fileTenure, pkg: pkgSingleton, run: "TestUnansweredRenewalsAreTold",
			old: "\t\t\tstep.Unanswered = silent\n",
			new: "",
			why: "a term that nobody answers ends without a word before",
		},
		{
			name: "turn-counted-anew", file: fileDecide, pkg: pkgSingleton, run: "TestLoserAloneStarvesNot",
			old: "func (c *Candidate) turn(d Decision) Instant {\n",
			new: "func (c *Candidate) turn(d Decision) Instant {\n\tif c.manners.crowd.turn > 0 && d.Action == Acquire {\n\t\treturn Clock{}.Now().Add(c.manners.crowd.turn)\n\t}\n",
			why: "who lost a race and is alone now waits for ever",
		},
		{
			name: "create-refused-for-ever", file: fileCandidate, pkg: pkgSingleton, run: "TestCreateAllowedLater",
			old: "Instant{}, now.Add(timing.RetryPeriod+",
			new: "Instant{}, now.Add(1<<40*timing.RetryPeriod+",
			why: "a Role that is mended helps nobody",
		},
		{
			name: "ready-without-a-lease", file: fileStatus, pkg: pkgSingleton, run: "TestWithoutCreate",
			old: "case !s.found:", new: "case !s.found && s.observed && s.holder.Self:",
			why: "all replicas are ready and none can ever work",
		},
		{
			name: "contested-untold", file: fileCandidate, pkg: pkgSingleton, run: "TestContestedLeaseIsTold",
			old: "c.tries.conflicts > fewConflicts {",
			new: "c.tries.conflicts > fewConflicts && c.tries.failures < 0 {",
			why: "nobody at work, and not a line of log",
		},
		{
			name: "drain-limit-untold", file: fileHolding, pkg: pkgSingleton, run: "TestStuckDrainIsTold",
			old: "overrun := clock.Now().Add(r.config.DrainLimit)\n",
			new: "overrun := lease.Instant{}\n",
			why: "work that never returns keeps the Lease and nobody is told",
		},
		{
			name: "resign-lost-while-acquiring", file: fileHolding, pkg: pkgSingleton, run: "TestIneligibleAndResigned",
			old: "if r.resigning.Swap(false) {",
			new: "if r.resigning.Swap(false) && !t.Valid() {",
			why: "who asked to resign is told nothing and works on",
		},
		{
			name: "ineligible-while-acquiring", file: fileHolding, pkg: pkgSingleton, run: "TestIneligibleAndResigned",
			old: "if r.ineligible.Load() {",
			new: "if r.ineligible.Load() && !t.Valid() {",
			why: "a replica that may not lead leads",
		},
		{
			name: "fallback-for-ever", file: fileWrite, pkg: pkgLease, run: "TestPatchRefused",
			old: "l.Clock.Since(r.since) > l.Timing.LeaseDuration", new: "l.Clock.Since(r.since) < 0",
			why: "a Role that is mended helps nobody",
		},
		{
			name: "fallback-untold", file: fileReign, pkg: pkgSingleton, run: "TestFallbackIsToldOnce",
			old: "if err := r.lock.PatchRefused(); err != nil {",
			new: "if err := r.lock.PatchRefused(); err != nil && r.reign == nil {",
			why: "a slow server ends terms and nobody knows why",
		},
		{
			name: "fences-told-in-turn", file: fileAnnounce, pkg: pkgSingleton, run: "TestFencesAreToldSideBySide",
			old: "told.Go(func() {",
			new: "told.Go(func() {})\n\t\tfunc(tell func()) { tell() }(func() {",
			why: "each fence costs its time",
		},
		{
			name: "shared-release-dropped", file: fileQueue, pkg: pkgLookout, run: "TestWhatASlowSubscriberKeeps",
			old: "return ours && a.Record.Holder() == b.Record.Holder() && a.Record.Term() == b.Record.Term() &&\n\t\ta",
			new: "return (ours || b.Record.Exists()) && a",
			why: "a slow subscriber is not shown what was released: a handover takes a lease",
		},
		{
			name: "foreign-renewals-merged", file: fileQueue, pkg: pkgLookout, run: "TestWhatASlowSubscriberKeeps",
			old: "return ours && a", new: "return (ours || b.Record.Holder() != \"\") && a",
			why: "client-go's release is waited out, since its term was not seen to last",
		},
		{
			name: "decided-before-the-floor", file: fileAcquire, pkg: pkgSingleton, run: "TestFloorThatIsSlower",
			old: "if d = r.next(); d.Action != lease.Acquire {", new: "if d = r.next(); d.Action == lease.Wait && d.At.IsZero() {",
			why: "who takes the Lease while another one asks its floor loses it again: two at work",
		},
		{
			name: "answered-taken-for-unanswered", file: fileTenure, pkg: pkgLease, run: "TestUnansweredRenewals",
			old: "waiting := t.InFlight() > 0", new: "waiting := t.InFlight() >= 0",
			why: "a refusal is told and counted as silence",
		},
		{
			name: "newest-not-handed-on", file: fileAcquire, pkg: pkgSingleton, run: "TestEpochIsAboveWhatARestoreForgot",
			old: "lease.EpochInputs{Remembered: view.Epoch(), ResourceVersion: view.Newest(), Floor: floor}",
			new: "lease.EpochInputs{Remembered: view.Epoch(), Floor: floor}",
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
