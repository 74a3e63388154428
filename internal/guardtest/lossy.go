package guardtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// Lossy returns a client whose writes and announcements are sometimes lost on
// their way there, sometimes on their way back, and sometimes come late, after
// their caller went on. For guards that are reached without a network, where a
// [Link] can do nothing. Late calls end before the test does.
func Lossy(t testing.TB, c Client) Client {
	l := &lossy{Client: c}
	t.Cleanup(l.late.Wait)
	return l
}

type lossy struct {
	Client
	late sync.WaitGroup
}

// latest is how late a call comes at most.
const latest = 3 * time.Millisecond

func (l *lossy) Announce(ctx context.Context, t fencing.Token) error {
	return l.call(ctx, func(ctx context.Context) error { return l.Client.Announce(ctx, t) })
}

func (l *lossy) Write(ctx context.Context, t fencing.Token, value string, between func()) error {
	switch rand.IntN(16) {
	default:
		return l.Client.Write(ctx, t, value, between)
	case 0, 1, 2:
		return l.call(ctx, func(ctx context.Context) error {
			return l.Client.Write(ctx, t, value, func() { time.Sleep(rand.N(latest)) })
		})
	}
}

func (l *lossy) call(ctx context.Context, f func(context.Context) error) error {
	switch rand.IntN(12) {
	default:
		return f(ctx)
	case 0:
		return fmt.Errorf("%w: lost on its way there", fencing.ErrUnavailable)
	case 1:
		_ = f(ctx)
		return fmt.Errorf("%w: lost on its way back", fencing.ErrUnavailable)
	case 2:
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		l.late.Go(func() {
			defer cancel()
			time.Sleep(rand.N(latest))
			_ = f(ctx)
		})
		return fmt.Errorf("%w: late", fencing.ErrUnavailable)
	}
}
