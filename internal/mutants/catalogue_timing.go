package main

// ofTimings are bugs in which timings are taken (rule T8).
func ofTimings() []mutant {
	return []mutant{
		{
			name: "stop-budget-unchecked", file: fileTiming, pkg: pkgLease, run: "TestTimingValidate",
			old: "} else if t.StopBudget() < MinStopBudget {", new: "} else if t.StopBudget() < -MaxLeaseDuration {",
			why: "work has no time to stop before a standby starts",
		},
		{
			name: "drift-ignored", file: fileTiming, pkg: pkgLease, run: "TestTimingValidate",
			old: "/ (1 + t.MaxClockDrift))", new: "/ (1 + 0*t.MaxClockDrift))",
			why: "a standby whose clock is fast starts before work has stopped",
		},
		{
			name: "fractions-truncated", file: fileTiming, pkg: pkgLease, run: "TestTimingValidate",
			old: "case t.LeaseDuration%time.Second != 0:", new: "case t.LeaseDuration%time.Millisecond != 0:",
			why: "a Lease carries 3 s of 3.9 s, and standbys wait for no longer",
		},
	}
}
