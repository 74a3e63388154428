package sim

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	kube "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/hotseat-go/hotseat/fencing"
)

// Verbs of a message besides the API's.
const (
	verbWrite    = "guarded-write"
	verbAnnounce = "announce"
	verbDecided  = "decided" // not of a process: the guard decided on one's call
	verbGo       = "go"      // to be allowed to run: a frozen node's process is not
)

// message is a request on its way, to the API server or to the guard.
type message struct {
	from     *process
	verb     string
	sent     time.Time
	deadline time.Time // zero if there is none
	answers  chan answer
	gone     atomic.Bool // nobody waits for the answer any more

	query
	toGuard
	decision
}

// query is what the API server is asked.
type query struct {
	lease    *coordv1.Lease // create, update
	patch    []byte         // patch
	selector string         // list, watch: of the one Lease there is, or none for all
	version  string         // watch: from here; list: as of then
	exact    bool           // list: as of then, from the store
	timeout  time.Duration  // watch: until then
	callers  []uintptr      // list, get, watch
}

// toGuard is what the guard is.
type toGuard struct {
	token   fencing.Token // of a write or an announcement
	job     *job          // of a write: whose
	outbox  bool          // sent later than its work wanted it
	call    int           // its number, the driver's
	arrived int           // in which step
}

// decision is what the guard has decided on a call.
type decision struct {
	of    *message
	leave func() // when the effect is over
	err   error
}

// writes reports whether m is to change the Lease.
func (m *message) writes() bool { return m.verb == "create" || m.verb == "update" || m.verb == "patch" }

// order is the order in which messages of one instant are taken in. What one
// process sends at once with one verb differs by its deadline, by its text, as
// renewals do that overlap, or by who in the process sends it.
func (m *message) order(o *message) int {
	if by := m.compare(o); by != 0 {
		return by
	}
	return strings.Compare(m.sender(), o.sender())
}

func (m *message) compare(o *message) int {
	return cmp.Or(cmp.Compare(m.from.node.index, o.from.node.index), cmp.Compare(m.from.number, o.from.number),
		cmp.Compare(m.verb, o.verb), m.deadline.Compare(o.deadline), cmp.Compare(m.selector, o.selector), cmp.Compare(m.asked(), o.asked()),
		cmp.Compare(m.version, o.version), cmp.Compare(len(m.patch), len(o.patch)), bytes.Compare(m.patch, o.patch))
}

// sender is the path of calls that sent m.
func (m *message) sender() string {
	var b strings.Builder
	frames := runtime.CallersFrames(m.callers)
	for more := len(m.callers) > 0; more; {
		var f runtime.Frame
		f, more = frames.Next()
		b.WriteString(f.Function + " ")
	}
	return b.String()
}

// callers are the calls that a read is sent from; nothing else tells two of one
// process apart.
func callers(verb string) []uintptr {
	if verb != "list" && verb != "get" && verb != "watch" {
		return nil
	}
	out := make([]uintptr, 48)
	return out[:runtime.Callers(3, out)]
}

// asked is the number of the call that a decision is about.
func (m *message) asked() int {
	if m.of == nil {
		return 0
	}
	return m.of.call
}

// local reports whether m is no request to the API server.
func (m *message) local() bool {
	return m.verb == verbGo || m.verb == verbWrite || m.verb == verbAnnounce || m.verb == verbDecided
}

type answer struct {
	object kube.Object
	watch  watch.Interface
	err    error
	why    string // the fault that gave it, if one did instead of the server
}

var errKilled = errors.New("sim: the process was killed")

// ask makes a request of the API server, in the units of the node's clock.
func (p *process) ask(ctx context.Context, m *message) (answer, error) {
	if p.node.Elector != Hotseat {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.world.plan.peerTimeout())
		defer cancel()
	}
	if m.lease != nil {
		m.lease = p.outward(m.lease)
	}
	if m.patch != nil {
		m.patch = p.outwardPatch(m.patch)
	}
	a, err := p.call(ctx, m)
	if err != nil {
		return answer{}, err
	}
	switch o := a.object.(type) {
	case *coordv1.Lease:
		a.object = p.inward(o)
	case *coordv1.LeaseList:
		for i := range o.Items {
			o.Items[i] = *p.inward(&o.Items[i])
		}
	}
	return a, nil
}

// call sends a message and waits for its answer or the end of ctx.
func (p *process) call(ctx context.Context, m *message) (answer, error) {
	m.from, m.sent, m.answers, m.callers = p, time.Now(), make(chan answer, 1), callers(m.verb)
	m.deadline, _ = ctx.Deadline()
	if err := ctx.Err(); err != nil {
		return answer{}, err
	}
	if !m.deadline.IsZero() && !m.deadline.After(m.sent) { // its timer may not have had its turn yet
		return answer{}, context.DeadlineExceeded
	}
	p.world.send(m)
	var killed chan struct{}
	if m.verb == verbWrite || m.verb == verbGo {
		killed = p.killed // the application's: gone with its process
	}
	select {
	case a := <-m.answers:
		return a, a.err
	case <-ctx.Done():
		m.gone.Store(true)
		return answer{}, fmt.Errorf("%s: %w", m.verb, ctx.Err())
	case <-killed:
		return answer{}, errKilled
	}
}
