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
			name: "failed-renewal-extends", file: fileTenure, pkg: pkgSingleton, run: "TestPermissionsTakenAway", seeds: 40,
			old: "\t\treturn t, Step{Failed: a.Err}\n\t}\n\treturn t.prolonged(a, now)\n",
			new: "\t\tt.claim.Sent = now\n\t\treturn t, Step{Failed: a.Err, Prolonged: true}\n\t}\n\treturn t.prolonged(a, now)\n",
			why: "cut off, work never ends",
		},
		{
			name: "event-extends", file: fileLoop, pkg: pkgSingleton, run: "TestEventsExtendNothing", seeds: 40,
			old: "\tif !outdated && r.reign != nil && r.reign.term != nil {\n",
			new: "\tif !outdated && r.reign != nil && r.reign.term != nil {\n\t\tlater := r.reign.tenure.Claim()\n\t\tlater.Sent = o.At\n\t\tr.reign.term.extend(later)\n",
			why: "a slow event keeps work alive beside its successor",
		},
		{
			name: "loss-ends-run", file: fileHolding, pkg: pkgSingleton, run: "TestAnotherHolderSeen|TestOneOnLose", seeds: 40,
			old: "err = r.miswired(out)\n\treturn err != nil, err\n",
			new: "err = r.miswired(out)\n\treturn err != nil || cause.lost(), cause\n",
			why: "who lost the Lease once stands by no more",
		},
		{
			name: "own-name-is-free", file: fileDecide, pkg: pkgSingleton, run: "TestOwnIdentityIsWaitedOut",
			old: "\td := c.listen(c.view.decide(now, c.fresh), now)\n",
			new: "\td := c.listen(c.view.decide(now, c.fresh), now)\n\tif c.view.Record().Holder() == c.self.Identity {\n\t\td.Action, d.Seat = Acquire, true\n\t}\n",
			why: "a restored Lease that names us says nothing about who works",
		},
		{
			name: "watched-once", file: fileSource, pkg: pkgSingleton, run: "TestWatchesEnding", seeds: 40,
			old: "if s.hopeless(err) {", new: "if err == nil {\n\t\t\t<-ctx.Done()\n\t\t}\n\t\tif s.hopeless(err) {",
			why: "a standby goes deaf when the server ends its watch, as servers do",
		},
		{
			name: "lost-race-ends-run", file: fileCandidate, pkg: pkgSingleton, run: "TestACrowdLearns", seeds: 40,
			old: "case errors.Is(err, ErrConflict):\n",
			new: "case errors.Is(err, ErrConflict):\n\t\tif c != nil {\n\t\t\treturn c, Hopeless\n\t\t}\n",
			why: "who was a little slower stands by no more",
		},
		{
			name: "outage-ends-run", file: fileCandidate, pkg: pkgSingleton, run: "TestTakesOverSoonAfterAnOutage", seeds: 40,
			old: "\treturn c, Outage\n",
			new: "\treturn c, Hopeless\n",
			why: "after an outage of the API server nobody is left",
		},
		{
			name: "no-back-off", file: fileRetry, pkg: pkgSingleton, run: "TestLastingFailures", seeds: 40,
			old: "return d/2 + draw(d/2)",
			new: "return min(d, time.Millisecond)",
			why: "an API server that is down is hammered by everybody",
		},
	}
}
