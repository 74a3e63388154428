//go:build race

package singleton_test

// raceDetector says that memory is not what it is without it.
const raceDetector = true
