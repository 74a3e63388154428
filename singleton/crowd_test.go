package singleton_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/singleton"
)

// crowded has n replicas, whose writes take a while to the server, hand the
// Lease over that many times; a replica that was stopped joins again. It returns
// the lost races of each handover and how long it took.
func (l lab) crowded(n, rounds int) (lost []int, took []time.Duration) {
	type started struct {
		member int
		at     time.Time
	}
	active := make(chan started, n)
	join := func(i int) *running {
		return l.run(l.elector(fmt.Sprintf("n%d", i)), func(ctx context.Context, _ *singleton.Term) error {
			active <- started{i, time.Now()}
			<-ctx.Done()
			return nil
		})
	}
	var members []*running
	for i := range n {
		l.Link(fmt.Sprintf("n%d", i)).Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, DelayBefore: 3 * time.Millisecond})
		members = append(members, join(i))
		if i == 0 {
			sleep(second) // the others have no race to lose
		}
	}
	now := <-active
	for range rounds {
		sleep(4500 * time.Millisecond) // between two renewals
		l.ForgetRequests()
		stopped := time.Now()
		members[now.member].stop()
		next := <-active
		took = append(took, next.at.Sub(stopped))
		sleep(second)
		conflicts := 0
		for _, request := range l.Requests() {
			if request.Code == http.StatusUnprocessableEntity { // a test in a patch failed
				conflicts++
			}
		}
		lost = append(lost, conflicts)
		members[now.member] = join(now.member)
		now = next
	}
	for _, m := range members {
		select {
		case <-m.done:
			require.Fail(l, "who loses a race stands by", m.err)
		default:
		}
	}
	return lost, took
}

func TestACrowdLearnsToTakeTurns(t *testing.T) {
	inLab(t, func(l lab) {
		lost, took := l.crowded(30, 12)
		l.Log(lost, took)
		require.Equal(l, 28, lost[0], "all try, the one that was stopped apart")
		later := 0
		for _, n := range lost[6:] {
			later += n
		}
		require.Less(l, later, lost[0], "six handovers together")
		for _, d := range took {
			require.Less(l, d, second/4)
		}
	})
}

func TestFewReplicasWaitForNothing(t *testing.T) {
	inLab(t, func(l lab) {
		_, took := l.crowded(2, 6)
		for _, d := range took {
			require.Equal(l, 6*time.Millisecond, d, "a release and an acquire")
		}
	})
}
