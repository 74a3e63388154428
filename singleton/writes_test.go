package singleton_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/scenario"
	"github.com/hotseat-go/hotseat/lease"
)

// operator is the user that is no candidate.
const operator = "operator"

// writes are all commits of a stage.
type writes struct {
	mu  sync.Mutex
	all []apiserver.Write
}

func recordWrites(s *scenario.Stage) *writes {
	w := &writes{}
	s.OnWrite(func(x apiserver.Write) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.all = append(w.all, x)
	})
	return w
}

// check proves from the commits alone that no candidate touched a record of
// another's term except to take it over whole: a write that renews or releases
// finds its own term in the record.
func (w *writes) check(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.all {
		old, stored := x.Leases()
		if x.User == "" || x.User == operator || old == nil || stored == nil || strings.HasPrefix(x.User, "client-go") {
			continue
		}
		before, after := lease.NewRecord(old), lease.NewRecord(stored)
		if after.Term() != before.Term() {
			continue // a new term
		}
		require.True(t, strings.HasPrefix(before.Holder(), x.User+"_") || strings.HasPrefix(before.Holder(), "same_"),
			"%s wrote over a record of %q: %v", x.User, before.Holder(), x)
	}
}
