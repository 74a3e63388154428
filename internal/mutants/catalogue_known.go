package main

// ofOthers are what other electors do, or did.
func ofOthers() []mutant {
	return []mutant{
		{
			name: "valid-for-a-whole-lease", file: fileClaim, pkg: pkgLease, run: "TestAcquireRenewRelease", seeds: 40,
			old: "return c.Sent.Add(t.RenewDeadline) }", new: "return c.Sent.Add(t.LeaseDuration) }",
			why: "no time is left between an old term's end and a new one's begin",
		},
		{
			name: "one-try-per-deadline", file: fileTiming, pkg: pkgLease, run: "TestTimingDefaultsAreValid", seeds: 40,
			old: "{ return t.RenewDeadline / 4 }", new: "{ return t.RenewDeadline }",
			why: "one lost packet costs the term",
		},
		{
			name: "half-a-lease-waited", file: fileView, pkg: pkgLease, run: "TestWhatAChangeProves", seeds: 40,
			old: "return later(d.since.Add(d.owed), d.hidden) }", new: "return d.since.Add(d.owed / 2) }",
			why: "a holder that is cut off is robbed while it works",
		},
		{
			name: "wall-clock-believed", file: fileChange, pkg: pkgLease, run: "TestWaitDoesNotCountByWallClocks", seeds: 40,
			old: "\tpaid := next // if the record's own word is true\n",
			new: "\tif at := r.RenewTime(); !at.IsZero() && time.Since(at) > 0 {\n\t\tnext.since = o.At.Add(-time.Since(at))\n\t}\n\tpaid := next // if the record's own word is true\n",
			why: "a wall clock an hour ahead takes every Lease",
		},
		{
			name: "failed-renewal-extends", file: fileKeeper, pkg: pkgSingleton, run: "TestPermissionsTakenAway", seeds: 40,
			old: "\t\tk.failures++\n\t\tk.r.tell.failed(renewing",
			new: "\t\tk.claim.Sent = k.r.config.clock.Now()\n\t\tk.term.extend(k.claim)\n\t\tk.failures++\n\t\tk.r.tell.failed(renewing",
			why: "cut off, work never ends",
		},
		{
			name: "event-extends", file: fileKeeper, pkg: pkgSingleton, run: "TestEventsExtendNothing", seeds: 40,
			old: "k.claim = k.claim.Rebase(o.Record)\n",
			new: "k.claim = k.claim.Rebase(o.Record)\n\tk.claim.Sent = o.At\n\tk.term.extend(k.claim)\n",
			why: "a slow event keeps work alive beside its successor",
		},
		{
			name: "loss-ends-run", file: fileActive, pkg: pkgSingleton, run: "TestAnotherHolderSeen|TestOneOnLose", seeds: 40,
			old: "return err != nil, err\n}", new: "return cause.lost(), cause\n}",
			why: "who lost the Lease once stands by no more",
		},
		{
			name: "own-name-is-free", file: fileStandby, pkg: pkgSingleton, run: "TestOwnIdentityIsWaitedOut",
			old: "d := r.listen(lease.Decide(r.view, now, r.fresh), now)\n",
			new: "d := r.listen(lease.Decide(r.view, now, r.fresh), now)\n\tif r.view.Record().Holder() == r.config.Identity {\n\t\td.Action = lease.Acquire\n\t}\n",
			why: "a restored Lease that names us says nothing about who works",
		},
		{
			name: "watched-once", file: fileObserver, pkg: pkgSingleton, run: "TestWatchesEnding", seeds: 40,
			old: "if o.pointless(err) {", new: "if err == nil {\n\t\t\t<-ctx.Done()\n\t\t}\n\t\tif o.pointless(err) {",
			why: "a standby goes deaf when the server ends its watch, as servers do",
		},
		{
			name: "lost-race-ends-run", file: fileSettle, pkg: pkgSingleton, run: "TestACrowdLearns", seeds: 40,
			old: "case errors.Is(err, lease.ErrConflict): // somebody",
			new: "case errors.Is(err, lease.ErrConflict):\n\t\treturn r.pointless(err) // somebody",
			why: "who was a little slower stands by no more",
		},
		{
			name: "outage-ends-run", file: fileSettle, pkg: pkgSingleton, run: "TestTakesOverSoonAfterAnOutage", seeds: 40,
			old: "\tdefault:\n\t\tr.tell.failed(failing(d), err)",
			new: "\tdefault:\n\t\treturn r.pointless(err)",
			why: "after an outage of the API server nobody is left",
		},
		{
			name: "no-back-off", file: fileObserver, pkg: pkgSingleton, run: "TestLastingFailures", seeds: 40,
			old: "return d/2 + chance.N(ctx, d/2)", new: "return min(d, time.Millisecond)",
			why: "an API server that is down is hammered by everybody",
		},
	}
}
