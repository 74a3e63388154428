//go:build race

package sim_test

// How much is played, several times slower.
const (
	fewSeeds                = 40
	replaySeeds, replayRuns = 4, 2
	historySeeds            = 20
	strikeSeeds             = 0
)
