//go:build unix

package frameworks

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A rolling update of managers from client-go's election to hotseat and back, as the guide says:
// with SIGTERM, and with crashes. One at a time is at work. Controllers take a moment to start, and
// a busy machine is forgiven two seconds.
func TestManagersRollingUpdate(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute; internal/e2e has a short one of electors")
	}
	const lease, polls, noise = 15 * time.Second, 4400 * time.Millisecond, 3 * time.Second
	for name, c := range map[string]struct {
		end                              func(*process) error
		least, most, leastBack, mostBack time.Duration
	}{
		"sigterm": {
			end:   func(p *process) error { return p.Terminate() },
			least: 900 * time.Millisecond, most: 1300 * time.Millisecond, mostBack: polls,
		},
		"sigkill": {
			end:   func(p *process) error { p.Kill(); return nil },
			least: lease - 2200*time.Millisecond, most: lease + time.Second/2,
			leastBack: lease - 2200*time.Millisecond, mostBack: lease + 2*polls,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, "rolling-"+name, clientGo, 200*time.Millisecond)
			old := l.start()
			l.works(old)
			l.elector = hotseat
			next := l.start()
			time.Sleep(lease) // minReadySeconds
			there := l.replaces(old, next, c.end)
			l.elector = clientGo
			again := l.start()
			time.Sleep(2 * time.Second)
			back := l.replaces(next, again, c.end)
			t.Logf("nobody at work: to hotseat %v, back %v", there, back)
			require.Zero(t, l.diary.overlap())
			require.GreaterOrEqual(t, there, c.least)
			require.LessOrEqual(t, there, c.most+noise)
			require.GreaterOrEqual(t, back, c.leastBack)
			require.LessOrEqual(t, back, c.mostBack+noise)
		})
	}
}

// replaces ends one replica, waits for the other, and returns how long nobody was at work.
func (l *lab) replaces(active, standby *process, end func(*process) error) time.Duration {
	l.Helper()
	require.NoError(l, end(active))
	l.works(standby)
	<-active.Exited()
	all := l.diary.all()
	old, fresh := all[len(all)-2], all[len(all)-1]
	require.Equal(l, []string{active.name, standby.name}, []string{old.who, fresh.who})
	return fresh.first.Sub(old.last)
}
