package singleton_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// morgue knows which processes are dead: those that the test says.
type morgue struct {
	mu      sync.Mutex
	dead    map[string]bool
	changed chan struct{}
	awaited []string // whose death, in order
	asked   int      // how often Dead was called
	open    int      // calls of Await
}

func newMorgue() *morgue { return &morgue{dead: map[string]bool{}, changed: make(chan struct{})} }

// kill says that the process is dead.
func (m *morgue) kill(who string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead["pod of "+who] = true
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *morgue) look(identity string) (dead bool, changed <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead[identity], m.changed
}

func (m *morgue) counts() (awaited []string, asked, open int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string{}, m.awaited...), m.asked, m.open
}

// evidence of one process.
type evidence struct {
	*morgue
	who      string
	identify func(context.Context) (string, error)                    // nil: at once
	suspects func(ctx context.Context, identity string) error         // nil: what the morgue knows
	decides  func(ctx context.Context, identity string) (bool, error) // nil: the same
}

func (e *evidence) Identify(ctx context.Context) (string, error) {
	if e.identify != nil {
		return e.identify(ctx)
	}
	return "pod of " + e.who, nil
}

func (e *evidence) Await(ctx context.Context, identity string) error {
	e.mu.Lock()
	e.awaited = append(e.awaited, identity)
	e.open++
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		e.open--
		e.mu.Unlock()
	}()
	if e.suspects != nil {
		return e.suspects(ctx, identity)
	}
	for {
		dead, changed := e.look(identity)
		if dead {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (e *evidence) Dead(ctx context.Context, identity string) (bool, error) {
	e.mu.Lock()
	e.asked++
	e.mu.Unlock()
	if e.decides != nil {
		return e.decides(ctx, identity)
	}
	dead, _ := e.look(identity)
	return dead, nil
}

// by sets evidence, with a minute to wait without it.
func (m *morgue) by(who string, change ...func(*evidence)) func(*singleton.Config) {
	e := &evidence{morgue: m, who: who}
	for _, change := range change {
		change(e)
	}
	return func(c *singleton.Config) {
		c.Evidence = e
		c.Timing = lease.Timing{LeaseDuration: time.Minute, RenewDeadline: 40 * second, RetryPeriod: 5 * second}
		c.Guards, _ = guardsOf()
	}
}

func guardsOf() ([]fencing.Guard, error) {
	guard, err := fencing.NewMemory(fencing.MemoryConfig{})
	return []fencing.Guard{guard}, err
}

// crash ends a process, as far as anybody can see: its work is over, and its requests go nowhere.
func (w *world) crash(who string, r *running) {
	w.Link(who).Cut()
	r.stop()
	sleep(time.Millisecond)
	require.False(w, w.on(who))
}

// After a crash nobody is at work until the death is proven, and then somebody is at once. That
// costs no request and no call before.
func TestProvenDeathEndsTheWait(t *testing.T) {
	for name, restarted := range map[string]bool{"a standby": false, "a replica that starts anew": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				m, log := newMorgue(), &lines{}
				var told []singleton.Holder
				tell := func(c *singleton.Config) {
					c.Hooks.OnHolder = func(h singleton.Holder) { told = append(told, h) }
				}
				_, a := w.replica("a", true, m.by("a"))
				sleep(second)
				require.Equal(w, "a", w.who())
				var b *singleton.Elector
				if !restarted {
					b = w.start("b", m.by("b"), logTo(log), tell)
				}
				sleep(30 * second)
				_, asked, open := m.counts()
				require.Zero(w, asked)
				if !restarted {
					require.Equal(w, 1, open, "one watch on the holder")
				}
				w.crash("a", a)
				sleep(second)
				require.Empty(w, w.who())
				m.kill("a")
				if restarted {
					b = w.start("b", m.by("b"), logTo(log), tell)
				}
				require.Less(w, w.nobodyFor(time.Minute), 300*time.Millisecond)
				require.Equal(w, "b", w.who())
				require.EqualValues(w, 1, metric(w, b, "hotseat_evidence_total", "result", "used"))
				require.Equal(w, 1, log.count("the holder's process is proven dead"))
				require.Equal(w, 1, log.count("reason=\"its holder's process is proven dead\""))
				sleep(second)
				require.False(w, b.Status().Holder.Dead)
				last := len(told) - 1
				require.True(w, told[last].Self && !told[last].Dead)
				awaited, asked, open := m.counts()
				require.Equal(w, []string{"pod of a"}, awaited)
				require.Equal(w, 1, asked)
				require.Zero(w, open, "nobody else holds the Lease")
			})
		})
	}
}

// Evidence that proves nothing changes nothing: the lease duration is waited.
func TestWithoutProofTheLeaseDurationIsWaited(t *testing.T) {
	errAPI := errors.New("pods is forbidden")
	for name, test := range map[string]struct {
		change func(*evidence)
		told   string
		result string
	}{
		"not proven": {func(e *evidence) {
			e.decides = func(context.Context, string) (bool, error) { return false, nil }
		}, "that is not proven", "unproven"},
		"an error": {func(e *evidence) {
			e.decides = func(context.Context, string) (bool, error) { return true, errAPI }
		}, "pods is forbidden", "failed"},
		"a panic": {func(e *evidence) {
			e.decides = func(context.Context, string) (bool, error) { panic("no") }
		}, "panic: no", "failed"},
		"no answer": {func(e *evidence) {
			e.decides = func(ctx context.Context, _ string) (bool, error) { <-ctx.Done(); return true, nil }
		}, "has not returned", "failed"},
		"awaiting fails": {func(e *evidence) {
			e.suspects = func(context.Context, string) error { return errAPI }
		}, "pods is forbidden", "failed"},
		"awaiting panics": {func(e *evidence) {
			e.suspects = func(context.Context, string) error { panic("no") }
		}, "panic: no", "failed"},
		"awaiting hears nothing": {func(e *evidence) {
			e.suspects = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
		}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				m, log := newMorgue(), &lines{}
				_, a := w.replica("a", true, m.by("a"))
				sleep(second)
				b := w.start("b", m.by("b", test.change), logTo(log))
				sleep(30 * second)
				w.crash("a", a)
				m.kill("a")
				nobody := w.nobodyFor(2 * time.Minute)
				require.Greater(w, nobody, 50*second)
				require.Less(w, nobody, time.Minute+time.Second)
				_, asked, _ := m.counts()
				require.LessOrEqual(w, asked, 40, "it is not asked all the time")
				if test.told != "" {
					require.InDelta(w, 3, log.count("no proof that the holder is dead"), 2)
					require.Positive(w, log.count(test.told))
					require.Positive(w, metric(w, b, "hotseat_evidence_total", "result", test.result))
				}
				require.Zero(w, metric(w, b, "hotseat_evidence_total", "result", "used"))
			})
		})
	}
}

// The record of a dead holder is put back over the term of one that is at work, and cut off. Neither
// a standby that was not shown that term nor a new process may take the Lease.
func TestPutBackOfTheDead(t *testing.T) {
	for name, late := range map[string]bool{"put back": false, "put back and edited": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				m, log := newMorgue(), &lines{}
				_, a := w.replica("a", true, m.by("a"))
				sleep(second)
				w.start("b", m.by("b"))
				w.observe("c", m.by("c")).SetEligible(true)
				sleep(20 * second)
				held := w.stored()
				w.Link("c").Cut()
				w.crash("a", a)
				m.kill("a")
				require.Less(w, w.nobodyFor(time.Minute), second)
				require.Equal(w, "b", w.who())
				sleep(second)
				w.Link("b").Cut()
				w.putBack(held)
				if late {
					w.edit(func(l *coordv1.Lease) { metav1.SetMetaDataLabel(&l.ObjectMeta, "team", "x") })
				}
				w.Link("c").Heal()
				d := w.start("d", m.by("d"), logTo(log))
				sleep(10 * second)
				require.Equal(w, "b", w.who(), "it is still its turn")
				require.Positive(w, metric(w, d, "hotseat_evidence_total", "result", "untraced"))
				require.Equal(w, 1, log.count("another replica may have held the Lease since"))
				sleep(90 * second)
				require.Contains(w, "cd", w.who())
			})
		})
	}
}

// What identifies a process is published with the acquire, or as soon as it is known. What must not
// be published is not.
func TestWhatIdentifiesAProcess(t *testing.T) {
	inWorld(t, func(w *world) {
		m, log := newMorgue(), &lines{}
		answers := make(chan string)
		e := w.start("a", logTo(log), m.by("a", func(e *evidence) {
			e.identify = func(ctx context.Context) (string, error) {
				select {
				case identity := <-answers:
					return identity, nil
				case <-ctx.Done():
					return "", ctx.Err()
				}
			}
		}))
		published := func() string { return w.record().Annotation(lease.AnnotationEvidence) }
		sleep(second)
		require.Equal(w, "a", w.who(), "a term does not wait for it")
		for _, bad := range []string{"", strings.Repeat("x", singleton.MaxEvidence+1), "line\nfeed", "\xff"} {
			answers <- bad
			sleep(7 * second)
			require.Empty(w, published())
		}
		require.Positive(w, log.count("what identifies this process is not known"))
		answers <- "pod of a"
		sleep(5 * second)
		require.Regexp(w, "^[0-9a-f]{32} after [0-9]+ pod of a$", published())
		require.Equal(w, 1, log.count("publishing what identifies it"))
		e.Resign()
		sleep(second)
		require.Empty(w, published(), "a release takes it off")
		sleep(30 * second)
		require.NotEmpty(w, published(), "an acquire writes it again")
	})
}

// Rule P6.
func TestSettlingWithoutGuards(t *testing.T) {
	inWorld(t, func(w *world) {
		m := newMorgue()
		settle := func(c *singleton.Config) { c.Guards, c.Fencing.Settle = nil, 4*second }
		_, a := w.replica("a", true, m.by("a"), settle)
		sleep(second)
		var told atomic.Pointer[singleton.Holder]
		b := w.start("b", m.by("b"), settle, func(c *singleton.Config) {
			c.Hooks.OnHolder = func(h singleton.Holder) { told.Store(&h) }
		})
		sleep(20 * second)
		w.crash("a", a)
		m.kill("a")
		sleep(2 * second)
		require.True(w, told.Load().Dead, "and the hook has said so")
		require.True(w, b.Status().Holder.Dead)
		require.InDelta(w, 2, w.nobodyFor(time.Minute).Seconds(), 0.3)
	})
}

func TestEvidenceNeedsAGuardOrSettle(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*singleton.Config)
		field  string
	}{
		"neither":       {func(c *singleton.Config) { c.Guards = nil }, "Fencing.Settle"},
		"negative":      {func(c *singleton.Config) { c.Fencing.Settle = -1 }, "Fencing.Settle"},
		"for too long":  {func(c *singleton.Config) { c.Fencing.Settle = time.Minute }, "Fencing.Settle"},
		"a typed nil":   {func(c *singleton.Config) { c.Evidence = (*evidence)(nil) }, "Evidence"},
		"both":          {func(c *singleton.Config) { c.Fencing.Settle = second }, ""},
		"no evidence":   {func(c *singleton.Config) { c.Evidence, c.Guards = nil, nil }, ""},
		"only a settle": {func(c *singleton.Config) { c.Guards, c.Fencing.Settle = nil, second }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				config := singleton.Config{Name: "invoicer", Namespace: "shop"}
				newMorgue().by("a")(&config)
				test.change(&config)
				_, err := singleton.New(l.Client("a"), config)
				if test.field == "" {
					require.NoError(l, err)
					return
				}
				field, ok := errors.AsType[*lease.FieldError](err)
				require.True(l, ok, "%v", err)
				require.Equal(l, test.field, field.Field)
			})
		})
	}
}

// Evidence that ignores its context holds up neither a term nor the end of Run.
func TestEvidenceThatHangs(t *testing.T) {
	inWorld(t, func(w *world) {
		m, log := newMorgue(), &lines{}
		free := make(chan struct{})
		defer close(free)
		_, a := w.replica("a", true, m.by("a"))
		sleep(second)
		_, b := w.replica("b", true, logTo(log), m.by("b", func(e *evidence) {
			e.identify = func(context.Context) (string, error) { <-free; return "", nil }
			e.suspects = func(context.Context, string) error { <-free; return nil }
		}))
		sleep(second)
		a.stop()
		require.Less(w, w.nobodyFor(time.Minute), second)
		sleep(50 * second)
		began := time.Now()
		b.stop()
		<-b.done
		require.LessOrEqual(w, time.Since(began), 10*second)
		require.Equal(w, 1, log.count("a call of Config.Evidence has not returned"))
		synctest.Wait()
	})
}

// With evidence there is not one request more before a holder seems dead.
func TestEvidenceCostsNoRequests(t *testing.T) {
	requests := func(t *testing.T, with bool) (sent [2][4]int) {
		inWorld(t, func(w *world) {
			m := newMorgue()
			without := func(c *singleton.Config) {
				if !with {
					c.Evidence = nil
				}
			}
			for i, who := range []string{"a", "b"} {
				w.start(who, m.by(who), without)
				sleep(second)
				defer func() {
					for j, verb := range []string{"get", "list", "watch", "patch"} {
						sent[i][j] = w.CountRequests(who, verb)
					}
				}()
			}
			sleep(4 * time.Minute)
		})
		return sent
	}
	require.Equal(t, requests(t, false), requests(t, true))
}

// A handover ends the question about the holder. That is no failure: nothing is told of it.
func TestHandoverIsNoFailedQuestion(t *testing.T) {
	inWorld(t, func(w *world) {
		m, log := newMorgue(), &lines{}
		all := map[string]*singleton.Elector{}
		for _, who := range []string{"a", "b"} {
			all[who] = w.start(who, m.by(who), logTo(log))
			sleep(second)
		}
		all["c"] = w.observe("c", m.by("c"), logTo(log)) // it sees the Lease while nobody holds it
		for range 4 {
			sleep(30 * second)
			_, _, open := m.counts()
			require.Equal(w, 2, open, "each standby has asked")
			before := w.who()
			all[before].Resign()
			sleep(second)
			require.NotEqual(w, before, w.who())
		}
		require.Zero(w, log.count("no proof that the holder is dead"))
		for who, e := range all {
			require.Zero(w, metric(w, e, "hotseat_evidence_total", "result", "failed"), who)
		}
	})
}
