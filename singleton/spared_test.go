package singleton_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/hotseat-go/hotseat/internal/whole"
)

// worlds counts those of each test.
var worlds = struct {
	mu sync.Mutex
	of map[string]int
}{of: map[string]int{}}

// spared reports whether the quick loop leaves t's next world out: it plays the first three of a
// test, and each sixth one after them.
func spared(t *testing.T) bool {
	name, _, _ := strings.Cut(t.Name(), "/")
	worlds.mu.Lock()
	defer worlds.mu.Unlock()
	n := worlds.of[name]
	worlds.of[name]++
	return !whole.Run() && n >= 2 && n%12 != 0
}
