package main

// ofTerm are bugs in the life of a term (rules T6, H1 to H4 and F2).
func ofTerm() []mutant {
	return []mutant{
		{
			name: "renewal-extends-from-receipt", file: fileTerm, pkg: pkgSingleton, run: "TestTermExtendsFromSending", seeds: 180,
			old: "until := claim.ValidUntil(t.config.timing())", new: "until := t.config.clock.Now().Add(t.config.RenewDeadline)",
			why: "a late answer keeps work alive beside its successor",
		},
		{
			name: "valid-at-the-deadline", file: fileTerm, pkg: pkgSingleton, run: "TestValidEndsByItself",
			old: "return t.left() > 0 }", new: "return t.left() >= 0 }",
			why: "valid at the instant at which it is not any more",
		},
		{
			name: "lost-and-valid", file: fileTerm, pkg: pkgSingleton, run: "TestLostIsNotValid", seeds: 40,
			old: "\tif t.over.Load() {\n\t\tleft = min(left, 0)\n\t}\n", new: "",
			why: "a term that is known to be over, or was released, counts as valid",
		},
		{
			name: "loss-does-not-cancel", file: fileTerm, pkg: pkgSingleton, run: "TestAnotherHolderSeenInTheRecord|TestLeaseDeletedUnder", seeds: 40,
			old: "\tt.over.Store(true)\n\tt.cancel(cause)\n", new: "\tt.over.Store(true)\n",
			why: "work goes on after its term was lost",
		},
		{
			name: "raise-without-limit", file: fileTerm, pkg: pkgSingleton, run: "TestRaise",
			old: "mark-epoch >= most {", new: "mark-epoch >= most && most < 0 {",
			why: "one poisoned mark uses the numbers up",
		},
		{
			name: "watchdog-never", file: fileWatchdog, pkg: pkgSingleton, run: "TestPartitionRightAfter", seeds: 40,
			old: "w.timer = time.AfterFunc(w.next(), w.check)", new: "w.timer = time.AfterFunc(w.next(), func() {})",
			why: "cut off, work never ends",
		},
		{
			name: "watchdog-not-armed-again", file: fileWatchdog, pkg: pkgSingleton, run: "TestPartitionRightAfter", seeds: 40,
			old: "if !w.stopped {", new: "if w.stopped {",
			why: "the deadline is watched once",
		},
		{
			name: "watchdog-asleep-with-the-machine", file: fileWatchdog, pkg: pkgSingleton, run: "TestSuspendEndsTheTerm",
			old: "return min(w.step, max(0, w.term.config.clock.Until(*w.term.until.Load())))", new: "return max(0, w.term.config.clock.Until(*w.term.until.Load()))",
			why: "after a suspend the context lives on until a timer that slept too",
		},
		{
			name: "watchdog-off-by-one", file: fileWatchdog, pkg: pkgSingleton, run: "TestPartitionRightAfter",
			old: "w.term.config.clock.Until(until) <= 0 {", new: "w.term.config.clock.Until(until) < 0 {",
			why: "at the deadline it waits for the deadline, for ever",
		},
		{
			name: "announced-after-work", file: fileWork, pkg: pkgSingleton, run: "TestFencesAreTold|TestSlowFence",
			old: "if err := announce(t.ctx, t); err != nil {\n\t\t\t\treturn err\n\t\t\t}\n", new: "defer announce(t.ctx, t) //nolint:errcheck // a mutant\n",
			why: "an old term's writes land beside the new one's",
		},
		{
			name: "refusal-ignored", file: fileWork, pkg: pkgSingleton, run: "TestUnavailableFence",
			old: "if err := announce(t.ctx, t); err != nil {\n\t\t\t\treturn err\n\t\t\t}\n", new: "_ = announce(t.ctx, t)\n",
			why: "work starts with a token no fence knows",
		},
		{
			name: "not-looked-again-before-hook", file: fileWork, pkg: pkgSingleton, run: "TestLostWhileAnnouncing",
			old: "if !t.Valid() || t.ctx.Err() != nil { // announcing took its time", new: "if false {",
			why: "OnAcquire is called for a term that is over",
		},
		{
			name: "not-looked-again-before-work", file: fileWork, pkg: pkgSingleton, run: "TestLostInsideOnAcquire",
			old: "if err := r.onAcquire(t); err != nil {\n\t\t\t\treturn err\n\t\t\t}\n\t\t\tif !t.Valid() || t.ctx.Err() != nil {",
			new: "if err := r.onAcquire(t); err != nil {\n\t\t\t\treturn err\n\t\t\t}\n\t\t\tif false {",
			why: "work starts after its term is over",
		},
		{
			name: "miswired-for-ever", file: fileFences, pkg: pkgSingleton, run: "TestFenceWiredToSomethingElse",
			old: "return r.pointless(out.err)", new: "return nil",
			why: "a replica wired to another Lease's guard takes the Lease in turn for ever",
		},
		{
			name: "miswired-once-taken", file: fileFences, pkg: pkgSingleton, run: "TestFencesThatMendEndNobody",
			old: "\tcase w.admitted:\n",
			new: "",
			why: "a guard whose server was deployed wrongly for a while ends its replicas",
		},
		{
			name: "fence-without-deadline", file: fileAnnounce, pkg: pkgSingleton, run: "TestHangingFence",
			old: "ctx, cancel := context.WithTimeout(ctx, t.config.RenewDeadline)", new: "ctx, cancel := context.WithCancel(ctx)",
			why: "a fence that hangs keeps the Lease from everybody",
		},
		{
			name: "not-announced-after-reconnect", file: fileTenure, pkg: pkgSingleton, run: "TestFencesAreToldAfterAReconnect",
			old: "outage := t.pulse.failures > 0 || now.Sub(t.pulse.heard) > 2*t.self.Timing.RetryPeriod\n",
			new: "outage := false\n",
			why: "a fence that went back in the same outage admits an old token for longer",
		},
		{
			name: "announced-once-only", file: fileAnnounce, pkg: pkgSingleton, run: "TestFencesAreToldAgain|TestFenceThatWentBack",
			old: "case <-timer.C:\n\tcase <-t.reconnected:", new: "case <-t.reconnected:",
			why: "a fence that went back admits an old token for good",
		},
		{
			name: "late-refusal-ignored", file: fileAnnounce, pkg: pkgSingleton, run: "TestFenceThatRefusesLater",
			old: "case refused(err):", new: "case refused(err) && false:",
			why: "a term goes on whose writes its own fence refuses",
		},
		{
			name: "own-raise-taken-for-a-rival", file: fileAnnounce, pkg: pkgSingleton, run: "TestRaiseOvertakesAnAnnouncement",
			old: "case !t.outranked(mark):", new: "case false:",
			why: "each raise by the work may be raised above once more",
		},
	}
}

// ofLoop are bugs in keeping and giving up the Lease (rules H4 to H8).
func ofLoop() []mutant {
	return []mutant{
		{
			name: "release-before-drain", file: fileHolding, pkg: pkgSingleton, run: "TestReleasedAfterTheWorkReturned", seeds: 40,
			old: "r.setState(StateDraining, t)\n",
			new: "r.setState(StateDraining, t)\n\t\t_ = r.release(g.tenure.Claim())\n",
			why: "the successor starts while the old work drains",
		},
		{
			name: "drain-without-renewing", file: fileHolding, pkg: pkgSingleton, run: "TestLongDrain",
			old: "r.wait(sooner(g.tenure.Due(), overrun), hear)",
			new: "r.wait(overrun, hear)",
			why: "the Lease runs out while work drains",
		},
		{
			name: "draining-deaf", file: fileHolding, pkg: pkgSingleton, run: "TestOverrunIsReported",
			old: "\t\t\t\tr.overran(g.term)\n",
			new: "",
			why: "work that outstays its budget goes unnoticed",
		},
		{
			name: "valid-while-releasing", file: fileHolding, pkg: pkgSingleton, run: "TestOneOnLosePerOnAcquire|TestHooksPairUp", seeds: 40,
			old: "\tt.finish() // from here on nothing may be written in its name\n",
			new: "",
			why: "the term is valid while it is given away",
		},
		{
			name: "hold-off-dropped", file: fileHolding, pkg: pkgSingleton, run: "TestResignHandsOver|TestUnavailableFence",
			old: "case !cause.lost() && cause.Reason != ReasonShutdown:\n",
			new: "case false:\n",
			why: "who resigned takes the Lease again at once",
		},
		{
			name: "fenced-goes-first", file: fileHolding, pkg: pkgSingleton, run: "TestFencedByHandIsReleased",
			old: "case cause.Reason == ReasonFenced: //",
			new: "case cause.Reason == ReasonFenced && valid: //",
			why: "who was fenced by hand takes the Lease again at once",
		},
		{
			name: "on-lose-twice", file: fileHolding, pkg: pkgSingleton, run: "TestOneOnLosePerOnAcquire",
			old: "if out.acquired && r.config.Hooks.OnLose != nil {\n",
			new: "if out.acquired && r.config.Hooks.OnLose != nil {\n\t\tr.hooks.push(queuedHook{call: func() { r.config.Hooks.OnLose(t, cause) }})\n",
			why: "hooks do not pair up",
		},
		{
			name: "on-lose-never", file: fileHolding, pkg: pkgSingleton, run: "TestOneOnLosePerOnAcquire",
			old: "if out.acquired && r.config.Hooks.OnLose != nil {\n",
			new: "if !out.acquired && r.config.Hooks.OnLose != nil {\n",
			why: "hooks do not pair up",
		},
		{
			name: "on-lose-only-after-work", file: fileHolding, pkg: pkgSingleton, run: "TestLostInsideOnAcquire",
			old: "if out.acquired && r.config.Hooks.OnLose != nil {\n",
			new: "if out.started && r.config.Hooks.OnLose != nil {\n",
			why: "a term that ends inside OnAcquire has no OnLose",
		},
		{
			name: "loss-shrugged-off", file: fileTenure, pkg: pkgLease, run: "TestRenewalThatMeetsALoss",
			old: "case isLost:\n",
			new: "case isLost && t.fenced:\n",
			why: "a renewal that meets another holder is tried again",
		},
		{
			name: "event-of-loss-ignored", file: fileTenure, pkg: pkgSingleton, run: "TestAnotherHolderSeenInTheRecord",
			old: "\tdefault:\n\t\treturn t.lose(lost)\n",
			new: "\tcase t.pulse.silent < 0:\n\t\treturn t.lose(lost)\n",
			why: "work goes on until the next renewal",
		},
		{
			name: "stale-event-ends-the-term", file: fileTenure, pkg: pkgLease, run: "TestEventFromBeforeTheTerm",
			old: "if !Newer(o.ResourceVersion, known) {",
			new: "if o.ResourceVersion == known {",
			why: "an event from before the term is taken for its loss",
		},
		{
			name: "own-raise-taken-for-a-fence", file: fileTenure, pkg: pkgLease, run: "TestOwnRaiseSeen",
			old: "(t.raise.id != 0 && epoch == t.raise.to || t.claim.Standing(lost.Record) == nil)",
			new: "epoch > 0 && t.claim.Standing(lost.Record) == nil",
			why: "a term ends over its own raise",
		},
		{
			name: "silent-watch-trusted", file: fileTenure, pkg: pkgSingleton, run: "TestSilentWatchOfTheActive",
			old: "if t.pulse.silent++; t.pulse.silent < silentMost {",
			new: "if t.pulse.silent++; t.pulse.silent > 0 {",
			why: "a dead connection hides a loss until the next renewal",
		},
	}
}

// ofStandby are bugs in taking over (rules A2 to A7, S1 to S3 and F4).
func ofStandby() []mutant {
	return []mutant{
		{
			name: "crowd-waits-for-long", file: fileManners, pkg: pkgLease, run: "TestCrowdWaits",
			old: "crowdMost   = 200 * time.Millisecond",
			new: "crowdMost   = 10 * time.Second",
			why: "who lost many races takes over seconds late when it is the only one left",
		},
		{
			name: "outage-waited-out-for-long", file: fileCandidate, pkg: pkgSingleton, run: "TestTakesOverSoonAfterAnOutage",
			old: "most := timing.RetryPeriod\n",
			new: "most := timing.LeaseDuration\n",
			why: "after an outage the pause between two attempts is as long as a lease",
		},
		{
			name: "memory-not-handed-on", file: fileAcquire, pkg: pkgSingleton, run: "TestStoreRestored|TestRemember|TestEpoch",
			old: "lease.EpochInputs{Remembered: view.Epoch(), ResourceVersion: view.Newest(), Floor: floor}",
			new: "lease.EpochInputs{ResourceVersion: view.Newest(), Floor: floor}",
			why: "a number raised by hand is used again after a deletion",
		},
		{
			name: "floor-failure-ignored", file: fileAcquire, pkg: pkgSingleton, run: "TestFloorBounds",
			old: "if floor, err = r.floor(); err != nil {\n\t\t\treturn err\n",
			new: "if floor, err = r.floor(); err != nil {\n\t\t\tfloor = 0\n",
			why: "it acquires below the floor it was told to ask for",
		},
		{
			name: "own-deletion-for-ever", file: fileSeat, pkg: pkgLease, run: "TestSeat",
			old: "v.seat.until.After(now) &&", new: "!v.seat.until.IsZero() &&",
			why: "the right to take the seat back at once outlives the term",
		},
		{
			name: "deletion-of-a-successors", file: fileSeat, pkg: pkgSingleton, run: "TestDeletedLeaseOfASuccessor",
			old: "mine := r.Holder() != \"\" && (r.Term() == s.term || r.Holder() == s.own)", new: "mine := r.Holder() != \"\"",
			why: "after a restore, another's Lease that is deleted is taken for our own, beside its work",
		},
		{
			name: "missing-lease-held-off", file: fileDecide, pkg: pkgSingleton, run: "TestWhoResignedCreatesTheMissingLease",
			old: "return later(at, c.tries.createAt)",
			new: "return later(later(at, c.leave.holdOff), c.tries.createAt)",
			why: "a Lease deleted while all have resigned is created a RetryPeriod late",
		},
		{
			name: "own-put-back-unnoticed", file: fileHolding, pkg: pkgSingleton, run: "TestClearedAndPutBackAtOnce",
			old: "cause.Reason == ReasonTaken && cause.Holder == r.config.Identity:",
			new: "cause.Reason == ReasonTaken && cause.Holder == \"\":",
			why: "an edit that puts an earlier term of ours back costs a lease",
		},
		{
			name: "own-deletion-unnoticed", file: fileHolding, pkg: pkgSingleton, run: "TestLeaseDeletedUnder",
			old: "case cause.Reason == ReasonDeleted, cause.Reason == ReasonCleared,",
			new: "case cause.Reason == ReasonCleared,",
			why: "a deletion costs a lease although the holder is at hand",
		},
		{
			name: "eligible-on-an-old-look", file: fileStandby, pkg: pkgSingleton, run: "TestEligibleLooksAgain",
			old: "case due, eligible:\n",
			new: "case due:\n",
			why: "it acquires on a List of hours ago",
		},
		{
			name: "unheard-goes-on", file: fileCandidate, pkg: pkgSingleton, run: "TestUnheardReplicaLetsOthersGoFirst",
			old: "\t\tc.manners.courteous = true\n\t\treturn c, Unheard\n",
			new: "\t\treturn c, Unheard\n",
			why: "one that hears no answers keeps the Lease from everybody",
		},
		{
			name: "ineligible-acquires", file: fileDecide, pkg: pkgSingleton, run: "TestIneligible",
			old: "case !eligible && !d.reads():",
			new: "case false:",
			why: "a replica that may not lead leads",
		},
		{
			name: "standby-trusts-its-watch", file: fileCandidate, pkg: pkgSingleton, run: "TestSilentWatchIsReplaced",
			old: "return next, c.view.Known() && c.view.FreeAt() != next.view.FreeAt()",
			new: "return next, !c.view.Known()",
			why: "a dead watch delays the next handover by a lease",
		},
		{
			name: "silence-trusted", file: fileDecide, pkg: pkgSingleton, run: "TestSilentWatchIsNoticed",
			old: "d.Action != Wait || d.At.IsZero()",
			new: "d.Action != Wait || c.manners.silence > 0",
			why: "a dead watch costs a second lease at failover",
		},
		{
			name: "missing-lease-waits-long", file: fileCandidate, pkg: pkgSingleton, run: "TestMissingLeaseIsCreatedSoon",
			old: "if !c.view.Record().Exists() && !errors.Is(err, ErrUnauthorized) {",
			new: "if false {",
			why: "the wait for a deleted Lease begins late",
		},
		{
			name: "acquired-while-stopping", file: fileAcquire, pkg: pkgSingleton, run: "TestStoppedWhileAcquiring",
			old: "\t\t\thear.stopping = nil\n\t\t\tgiveUp = clock.Now().Add(r.config.timing().RequestTimeout())\n",
			new: "\t\t\treturn r.ctx.Err()\n",
			why: "a process that is gone holds the Lease",
		},
	}
}
