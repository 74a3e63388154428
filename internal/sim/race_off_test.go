//go:build !race

package sim_test

// How much is played.
const (
	fewSeeds                = 300
	replaySeeds, replayRuns = 20, 10
	historySeeds            = 60
	strikeSeeds             = 250
)
