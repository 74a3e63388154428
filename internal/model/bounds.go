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
		small("delays", func(*bounds) {}),
		small("delays, two acquires", func(b *bounds) { b.acquires, b.renewals = 2, 0 }),
		small("delays, lazy", func(b *bounds) { b.acquires, b.renewals, b.lazy = 2, 2, true }),
		small("overlapping renewals", func(b *bounds) { b.lazy, b.renewals = true, 3 }),
		small("overlapping renewals, 3/2/1", func(b *bounds) { b.L, b.R, b.horizon, b.lazy, b.renewals = 3, 2, 4, true, 2 }),
		small("resignation", func(b *bounds) { b.acquires, b.renewals, b.faults.Resigns = 2, 0, 1 }),
		small("late watch events", func(b *bounds) { b.lateEvents, b.acquires, b.renewals = true, 2, 0 }),
		small("patch refused", func(b *bounds) { b.updates, b.renewals = true, 2 }),
		small("cleared", func(b *bounds) { b.acquires, b.renewals, b.faults.Clears = 2, 0, 1 }),
		small("cleared twice", func(b *bounds) { b.acquires, b.renewals, b.lazy, b.faults.Clears = 3, 0, true, 2 }),
		small("replaced", func(b *bounds) { b.acquires, b.lazy, b.faults.Replaces = 2, true, 1 }),
		small("replaced before a new one", func(b *bounds) { b.acquires, b.late, b.renewals, b.faults.Replaces = 2, true, 0, 2 }),
		small("put back", func(b *bounds) { b.faults.PutBacks = 1 }),
		small("put back, two acquires", func(b *bounds) { b.acquires, b.renewals, b.faults.PutBacks = 2, 0, 1 }),
		small("put back twice", func(b *bounds) { b.acquires, b.lazy, b.renewals, b.faults.PutBacks = 2, true, 0, 2 }),
		small("put back, 4/3/1", func(b *bounds) { b.L, b.R, b.horizon, b.lazy, b.faults.PutBacks = 4, 3, 5, true, 1 }),
		small("put back, released", func(b *bounds) {
			b.acquires, b.renewals, b.lazy, b.faults.PutBacks, b.faults.Resigns = 2, 0, true, 1, 1
		}),
		small("deleted", func(b *bounds) { b.acquires, b.lazy, b.creates, b.renewals, b.faults.Deletes = 2, true, 1, 0, 1 }),
		small("deleted twice", func(b *bounds) { b.acquires, b.lazy, b.creates, b.renewals, b.faults.Deletes = 2, true, 1, 0, 2 }),
		small("deleted, shipped", func(b *bounds) { b.acquires, b.lazy, b.faults.Deletes, b.faults.Ships = 2, true, 1, 1 }),
		small("stranger", func(b *bounds) { b.faults = budget{Deletes: 1, Ships: 1, Strangers: 1} }),
		small("shipped before a new one", func(b *bounds) {
			b.acquires, b.lazy, b.late, b.renewals, b.faults = 2, true, true, 0, budget{Deletes: 1, Ships: 1, Clears: 1}
		}),
		small("missing", func(b *bounds) { b.missing, b.creates = true, 1 }),
		small("restored, bumped", func(b *bounds) { b.acquires, b.lazy, b.faults.Bumped = 2, true, 1 }),
		small("restored, not bumped", func(b *bounds) { b.acquires, b.lazy, b.faults.Unbumped = 2, true, 1 }),
		small("restored 3/2/1", func(b *bounds) { b.L, b.R, b.horizon, b.renewals, b.faults.Bumped = 3, 2, 4, 0, 1 }),
		small("restored, not bumped, 3/2/1", func(b *bounds) { b.L, b.R, b.horizon, b.renewals, b.faults.Unbumped = 3, 2, 4, 0, 1 }),
		small("deleted, restored, bumped", func(b *bounds) { b.renewals, b.creates, b.faults.Deletes, b.faults.Bumped = 0, 1, 1, 1 }),
		small("deleted, restored, not bumped", func(b *bounds) { b.renewals, b.creates, b.faults.Deletes, b.faults.Unbumped = 0, 1, 1, 1 }),
		small("put back, restored, 3/2/1", func(b *bounds) {
			b.L, b.R, b.horizon, b.renewals, b.lazy, b.faults.PutBacks, b.faults.Unbumped = 3, 2, 4, 0, true, 1, 1
		}),
		small("deleted, restored, 3/2/1", func(b *bounds) {
			b.L, b.R, b.horizon, b.renewals, b.lazy, b.creates, b.faults.Deletes, b.faults.Unbumped = 3, 2, 4, 0, true, 1, 1, 1
		}),
		small("put back, restored", func(b *bounds) { b.renewals, b.faults.PutBacks, b.faults.Bumped = 0, 1, 1 }),
		small("crash and restart", func(b *bounds) { b.renewals, b.faults.Crashes = 0, 2 }),
		small("deaths", func(b *bounds) { b.deaths, b.acquires, b.lazy, b.renewals, b.faults.Crashes = true, 2, true, 0, 1 }),
		small("deaths, put back", func(b *bounds) {
			b.deaths, b.acquires, b.lazy, b.renewals, b.horizon, b.faults = true, 2, true, 0, 2, budget{Crashes: 1, PutBacks: 1}
		}),
		small("deaths, renewed, put back", func(b *bounds) {
			b.deaths, b.lazy, b.renewals, b.horizon, b.faults = true, true, 1, 1, budget{Crashes: 1, PutBacks: 1}
		}),
		small("frozen and thawed", func(b *bounds) { b.renewals, b.faults.Pauses = 0, 1 }),
	}
}
