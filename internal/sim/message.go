package sim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/hotseat-go/hotseat/fencing"
)

// Verbs of a message besides the API's.
const (
	verbWrite    = "guarded-write"
	verbAnnounce = "announce"
	verbGo       = "go" // to be allowed to run: a frozen node's process is not
)

// message is a request on its way, to the API server or to the guard.
type message struct {
	from     *process
	verb     string
	lease    *coordv1.Lease // create, update
	token    fencing.Token  // guarded write, announcement
	job      *job           // guarded write: whose
	version  string         // watch: from here
	timeout  time.Duration  // watch: until then
	sent     time.Time
	deadline time.Time // zero if there is none
	answers  chan answer
	gone     atomic.Bool // nobody waits for the answer any more
}

type answer struct {
	object runtime.Object
	watch  watch.Interface
	err    error
}

var errKilled = errors.New("sim: the process was killed")

// call sends a message and waits for its answer or the end of ctx.
func (p *process) call(ctx context.Context, m *message) (answer, error) {
	m.from, m.sent, m.answers = p, time.Now(), make(chan answer, 1)
	m.deadline, _ = ctx.Deadline()
	if err := ctx.Err(); err != nil {
		return answer{}, err
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

// travel sends m on its way to the server, through what is wrong with the link.
func (w *world) travel(m *message) {
	n := m.from.node.index
	switch {
	case m.from.dead:
	case m.verb == verbGo:
		w.in(0, n, "", func() { m.answers <- answer{} })
	case m.verb == verbWrite || m.verb == verbAnnounce:
		if !w.afflicted(n, GuardDown) {
			w.in(w.latency(), n, "", func() { w.in(w.latency(), -1, "", func() { w.admit(m) }) })
		}
	case w.afflicted(n, BlackHole):
	case w.afflicted(n, Cut), w.afflicted(-1, Restart), w.strikes(n, LoseRequest):
		w.in(w.latency(), n, m.verb+" refused by the network", func() { m.fail(syscall.ECONNRESET) })
	default:
		// The node's own side first: a frozen one does not send.
		w.in(0, n, "", func() {
			w.in(w.latency()+w.delay(n, DelayRequest), -1, "", func() { w.serve(m) })
		})
	}
}

// serve has the API server answer m.
func (w *world) serve(m *message) {
	n := m.from.node.index
	if w.afflicted(-1, Restart) {
		return // it went down with the server
	}
	if f := w.affliction(n, Refuse); f != nil {
		w.reply(m, answer{err: refusal(int(f.N))}, fmt.Sprintf("%s -> %d", m.verb, f.N))
		return
	}
	var a answer
	w.check.serving = m.from
	switch m.verb {
	case "list":
		a.object, a.err = w.store.list()
	case "get":
		a.object, a.err = w.store.get()
	case "create":
		a.object, a.err = w.store.create(m.lease)
	case "update":
		a.object, a.err = w.store.update(m.lease)
	case "watch":
		a = w.openWatch(m)
	}
	w.check.serving = nil
	what := m.verb + " -> ok"
	if a.err != nil {
		what = fmt.Sprintf("%s -> %s", m.verb, apierrors.ReasonForError(a.err))
	}
	w.check.tell(n, what)
	w.reply(m, a, what+" heard")
}

// reply sends an answer back, through what is wrong with the link.
func (w *world) reply(m *message, a answer, what string) {
	n := m.from.node.index
	switch {
	case w.afflicted(n, BlackHole), w.strikes(n, HangAnswer):
		return
	case w.afflicted(n, Cut), w.strikes(n, LoseAnswer):
		w.in(w.latency(), n, m.verb+" answer lost", func() { m.fail(syscall.ECONNRESET) })
		return
	}
	w.in(w.latency()+w.delay(n, DelayAnswer), n, what, func() {
		switch {
		case m.from.dead || m.gone.Load() || w.afflicted(n, BlackHole):
		case w.afflicted(n, Cut):
			m.fail(syscall.ECONNRESET)
		default:
			if a.err == nil {
				w.check.acknowledged(m)
			}
			m.answers <- a
		}
	})
}

func (m *message) fail(err error) {
	if !m.from.dead && !m.gone.Load() {
		m.answers <- answer{err: fmt.Errorf("%s: %w", m.verb, err)}
	}
}

func refusal(status int) error {
	switch status {
	case http.StatusConflict:
		return conflict(leaseName, "the object has been modified")
	case http.StatusTooManyRequests:
		return apierrors.NewTooManyRequests("slow down", 1)
	case http.StatusServiceUnavailable:
		return apierrors.NewServiceUnavailable("not ready")
	}
	return apierrors.NewInternalError(fmt.Errorf("etcdserver: leader changed"))
}

// admit has the guard decide on a write or an announcement.
func (w *world) admit(m *message) {
	if m.from.dead && m.verb == verbAnnounce {
		return
	}
	err := w.check.admit(m)
	n := m.from.node.index
	what := m.verb + " admitted"
	if err != nil {
		what = m.verb + " refused"
	}
	w.check.tell(n, fmt.Sprintf("%s, epoch %d", what, m.token.Epoch))
	if w.afflicted(n, GuardDown) {
		return
	}
	w.in(w.latency(), n, "", func() {
		if !m.from.dead && !m.gone.Load() {
			m.answers <- answer{err: err}
		}
	})
}
