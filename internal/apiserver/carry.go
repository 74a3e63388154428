package apiserver

import (
	"slices"
	"time"
)

// carry takes a request to the server and its answer back, through the link's
// condition and its faults.
func (l *Link) carry(x *exchange, verb string, serve func() answer) {
	l.add(x)
	defer l.forget(x)
	arrived, ok := l.pass(x)
	if !ok {
		return
	}
	defer func() { arrived() }()
	f := l.fault(verb)
	switch {
	case f.LoseRequest:
		f.hit()
		x.reset()
		return
	case f.HangRequest:
		f.hit()
		x.hang()
		return
	}
	if !l.c.sleep(f.DelayBefore) {
		return
	}
	if x.ctx.Err() != nil && slices.Contains([]string{"get", "list", "watch"}, verb) {
		return // nobody is there to read it
	}
	var ans answer
	if f.Status != 0 {
		ans = x.failure(f.Fault)
	} else {
		ans = serve()
	}
	arrived()
	f.hit()
	if !l.c.sleep(f.DelayAfter) {
		return
	}
	switch {
	case f.LoseAnswer:
		x.reset()
		return
	case f.HangAnswer:
		x.hang()
		return
	}
	if arrived, ok = l.pass(x); ok {
		x.write(l.c, ans)
	}
}

// sleep returns false if the cluster was closed meanwhile.
func (c *Cluster) sleep(d time.Duration) bool {
	if d <= 0 {
		return c.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}
