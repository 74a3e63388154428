package main

// small is L/R/S = 2/1/1 ticks, no slack at all: L = R + S.
func small(name string, change func(*bounds)) bounds {
	b := bounds{name: name, L: 2, R: 1, S: 1, horizon: 3, acquires: 1, renewals: 1}
	change(&b)
	return b
}

// all is what `make model` explores.
func all() []bounds {
	return []bounds{
		{name: "delays and a resignation, 3/2/1", L: 3, R: 2, S: 1, horizon: 4, acquires: 1, renewals: 1, faults: budget{Resigns: 1}},
		small("delays, two renewals", func(b *bounds) { b.acquires, b.renewals, b.horizon = 1, 2, 2 }),
		small("late watch events", func(b *bounds) { b.staleEvents, b.renewals = true, 0 }),
		small("holder cleared by hand", func(b *bounds) { b.renewals, b.faults.Clears = 0, 1 }),
		small("Lease deleted", func(b *bounds) { b.creates, b.renewals, b.faults.Deletes, b.horizon = 1, 0, 1, 2 }),
		small("Lease deleted, back in the seat", func(b *bounds) { b.acquires, b.creates, b.renewals, b.faults.Deletes, b.horizon = 2, 1, 0, 1, 1 }),
		small("Lease deleted twice", func(b *bounds) { b.creates, b.renewals, b.faults.Deletes, b.horizon = 1, 0, 2, 2 }),
		small("Lease deleted and shipped anew", func(b *bounds) { b.renewals, b.faults.Deletes, b.faults.Ships = 0, 1, 1 }),
		small("Lease missing at first", func(b *bounds) { b.missing, b.creates = true, 1 }),
		small("store restored, revision bumped", func(b *bounds) { b.renewals, b.faults.Bumped = 0, 1 }),
		small("store restored, not bumped", func(b *bounds) { b.renewals, b.faults.Unbumped = 0, 1 }),
		small("crash and restart", func(b *bounds) { b.renewals, b.faults.Crashes = 0, 1 }),
		small("frozen and thawed", func(b *bounds) { b.renewals, b.faults.Pauses = 0, 1 }),
	}
}
