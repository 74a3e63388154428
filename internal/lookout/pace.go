package lookout

import (
	"context"
	"errors"
	"time"

	"github.com/hotseat-go/hotseat/internal/chance"
	"github.com/hotseat-go/hotseat/internal/outage"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/internal/retry"
	"github.com/hotseat-go/hotseat/lease"
)

// pacer decides how long to pause between two looks, and tells what fails.
type pacer struct {
	list, watch outage.Topic
	tell        outage.Teller
	failures    int  // looks in a row that came to nothing
	reached     bool // the last look's list was answered
	served      bool // a watch has served for a while before
}

// look is what became of a list and the watch after it.
type look struct {
	took    time.Duration
	reached bool // the list was answered
	err     error
	period  time.Duration // the longest pause where only the watch fails
	denied  time.Duration // and where nobody is let in
}

// saw takes in that a watch of that age has shown something. Whether it works is told then, because
// it may last for minutes.
func (p *pacer) saw(age time.Duration) {
	if age > retry.Most {
		p.tell.Over(p.watch)
		p.tell.Over(outage.Unopened)
	}
}

// looked returns how long to pause after a look.
func (p *pacer) looked(ctx context.Context, l look) time.Duration {
	before := p.reached
	p.reached = l.reached
	most := retry.Most
	switch {
	case errors.Is(l.err, lease.ErrUnauthorized): // a hand has to mend it
		most = max(most, l.denied)
	case l.reached: // only the watch fails, and a standby needs it less
		most = max(most, l.period)
	}
	switch {
	case l.reached && l.took > retry.Most && !errors.Is(l.err, lease.ErrForbidden) && !errors.Is(l.err, protocol.ErrUnopened):
		p.failures, p.served = 0, true
		p.tell.Over(p.watch)
		p.tell.Over(outage.Unopened)
	case l.reached && !before:
		p.failures = 1 // the server is back: what failed before says nothing of the watch
	default:
		p.failures++
	}
	switch {
	case l.err == nil || ctx.Err() != nil || errors.Is(l.err, lease.ErrConflict):
	case errors.Is(l.err, protocol.ErrUnopened):
		p.tell.Failed(outage.Unopened, l.err)
	case l.reached:
		p.tell.Failed(p.watch, l.err)
	default:
		p.tell.Failed(p.list, l.err)
	}
	return retry.Backoff(chance.Of(ctx), p.failures, most)
}
