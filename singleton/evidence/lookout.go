package evidence

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/hotseat-go/hotseat/internal/apiclient"
	"github.com/hotseat-go/hotseat/internal/retry"
)

// lookout watches one Pod for all electors that wait for the same process's death.
type lookout struct {
	users int // under Pods.mu
	stop  context.CancelFunc
	ended chan struct{}
	err   error // once ended: nil if the Pod showed the death
}

// join starts the lookout for i, or takes a share in the one that there is.
func (p *Pods) join(i identity) *lookout {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lookouts[i.String()]
	if l == nil {
		ctx, stop := context.WithCancel(context.Background())
		l = &lookout{stop: stop, ended: make(chan struct{})}
		p.lookouts[i.String()] = l
		go func() {
			defer close(l.ended)
			if l.err = p.look(ctx, i); l.err != nil {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.forget(i, l)
			}
		}()
	}
	l.users++
	return l
}

// leave gives a share up. The last one ends the lookout, and waits for its end.
func (p *Pods) leave(i identity, l *lookout) {
	p.mu.Lock()
	l.users--
	last := l.users == 0
	if last {
		p.forget(i, l)
	}
	p.mu.Unlock()
	if last {
		l.stop()
		<-l.ended
	}
}

// forget has whoever comes next start another lookout. p.mu is held.
func (p *Pods) forget(i identity, l *lookout) {
	if p.lookouts[i.String()] == l {
		delete(p.lookouts, i.String())
	}
}

const (
	watchMost = 5 * time.Second
	pollEvery = 2 * time.Second
	pollTime  = time.Minute // then it tries to watch again
)

// look returns nil once the Pod shows the death.
func (p *Pods) look(ctx context.Context, i identity) error {
	for failures := 0; ctx.Err() == nil; failures++ {
		began := time.Now()
		dead, err := apiclient.Watch(ctx, p.api.Client, p.api.path(i.pod), i.deadIn)
		if time.Since(began) > watchMost {
			failures = 0 // it was open
		}
		if err != nil && apierrors.IsForbidden(err) && ctx.Err() == nil {
			p.saysPolling(err)
			if dead, err = p.poll(ctx, i); apierrors.IsForbidden(err) {
				return fmt.Errorf("evidence: %w", err)
			}
		}
		if dead {
			return nil
		}
		retry.Pause(ctx, retry.After(ctx, failures, leastPause, watchMost))
	}
	return context.Cause(ctx)
}

// poll looks at the Pod now and then, for pollTime or until a look fails.
func (p *Pods) poll(ctx context.Context, i identity) (bool, error) {
	for end := time.Now().Add(pollTime); time.Now().Before(end) && ctx.Err() == nil; {
		if dead, err := p.Dead(ctx, i.String()); dead || err != nil {
			return dead, err
		}
		retry.Pause(ctx, pollEvery)
	}
	return false, context.Cause(ctx)
}

func (p *Pods) saysPolling(err error) {
	p.mu.Lock()
	said := p.polls
	p.polls = true
	p.mu.Unlock()
	if !said {
		p.logger.Warn("not allowed to watch Pods: looking at the holder's Pod every 2 s instead",
			"error", err)
	}
}
