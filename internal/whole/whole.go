// Package whole says how much of a dear test is played. The quick loop, go test ./..., is under a
// minute, so it plays a share of it. make test plays all, by HOTSEAT_WHOLE=1.
package whole

import (
	"flag"
	"os"
	"testing"
	"time"
)

// Run reports whether everything is played.
func Run() bool { return os.Getenv("HOTSEAT_WHOLE") != "" }

// Only leaves the test to runs of everything.
func Only(t *testing.T) {
	t.Helper()
	if !Run() {
		t.Skip("make test runs it, and HOTSEAT_WHOLE=1")
	}
}

// Share is how many of all cases are played: the quick loop plays a few.
func Share(all, few uint64) uint64 {
	if Run() {
		return all
	}
	return min(all, few)
}

// Lasts is for how long something is done: the quick loop takes less.
func Lasts(all, few time.Duration) time.Duration {
	if Run() {
		return all
	}
	return min(all, few)
}

// Main runs the tests of a package whose parallel tests mostly wait: eight at a time, unless -parallel
// says otherwise.
func Main(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
