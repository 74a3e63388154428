package apiserver

import (
	"maps"
	"slices"
	"sync"
)

// condition is the state of a link.
type condition int

const (
	healthy condition = iota
	cut
	blackHole
	frozen
)

// notice is what a script tells an open watch stream.
type notice int

const (
	endStream notice = iota
	expireStream
)

// Link is the network between one client and the server, in memory or over
// loopback: every request with that client's name passes it. Its methods take
// effect at once, may be called at any time and from any goroutine, and do not
// block.
//
// What is sent into a link that only delays it arrives in the end, even if its
// client has given up meanwhile: networks do deliver a write late.
type Link struct {
	c *Cluster

	mu       sync.Mutex
	state    condition
	changed  chan struct{}      // closed and replaced when state changes
	active   map[*exchange]bool // true: an open watch
	parked   []chan condition   // messages that wait for their turn, in order
	draining bool               // a parked message has its turn
	faults   []*injected
}

func newLink(c *Cluster) *Link {
	return &Link{c: c, changed: make(chan struct{}), active: map[*exchange]bool{}}
}

// Cut breaks every connection: requests under way and open watches end with a
// connection reset, new requests fail at once. What had reached the server, or
// was delayed by a [Fault] on its way there, is still served. A new request
// meets "connection refused" in memory and "connection reset" over loopback.
func (l *Link) Cut() { l.set(cut) }

// BlackHole makes messages vanish: requests never reach the server, answers and
// watch events never reach the client, and nothing tells either side. After
// [Link.Heal] new requests work; what was lost stays unanswered until the client
// gives up, and a watch that lost an event stays silent, since a stream cannot
// skip.
func (l *Link) BlackHole() { l.set(blackHole) }

// Freeze parks requests, answers and watch events until [Link.Heal], which lets
// them go on in order.
func (l *Link) Freeze() { l.set(frozen) }

// Heal ends Cut, BlackHole and Freeze.
func (l *Link) Heal() { l.set(healthy) }

// EndWatches ends the open watches cleanly, as the server does at their timeout.
func (l *Link) EndWatches() { l.notify(endStream) }

// ExpireWatches ends the open watches with an ERROR event 410 Gone (Expired).
func (l *Link) ExpireWatches() { l.notify(expireStream) }

func (l *Link) set(state condition) {
	if l.c.ctx.Err() != nil {
		state = cut // a closed cluster lets nothing wait
	}
	l.mu.Lock()
	l.state = state
	close(l.changed)
	l.changed = make(chan struct{})
	switch state {
	case cut, blackHole:
		for _, turn := range l.parked {
			turn <- state
		}
		l.parked = nil
	case healthy:
		if !l.draining {
			l.release()
		}
	}
	l.mu.Unlock()
	if state == cut {
		l.resetAll()
	}
}

// release gives the next parked message its turn. The caller holds l.mu.
func (l *Link) release() {
	l.draining = l.state == healthy && len(l.parked) > 0
	if l.draining {
		l.parked[0] <- healthy
		l.parked = l.parked[1:]
	}
}

// resetAll breaks every connection once, as a restart of the server does.
func (l *Link) resetAll() {
	l.mu.Lock()
	active := slices.Collect(maps.Keys(l.active))
	l.mu.Unlock()
	for _, x := range active {
		x.reset()
	}
}

func (l *Link) isCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == cut
}

func (l *Link) notify(n notice) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for x, watching := range l.active {
		if watching {
			select {
			case x.notices <- n:
			default: // it is already ending
			}
		}
	}
}

func (l *Link) add(x *exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active[x] = false
}

func (l *Link) forget(x *exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.active, x)
}

func (l *Link) watching(x *exchange) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active[x] = true
	return l.state != cut
}

// pass carries one message, request or answer. If it gets through, ok is true
// and the caller says when it has arrived, for those parked behind it.
func (l *Link) pass(x *exchange) (arrived func(), ok bool) {
	l.mu.Lock()
	state := l.state
	var turn chan condition
	if state == frozen || (state == healthy && l.draining) {
		turn = make(chan condition, 1)
		l.parked = append(l.parked, turn)
	}
	l.mu.Unlock()
	arrived = func() {}
	if turn != nil {
		if state = <-turn; state == healthy {
			arrived = sync.OnceFunc(func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.release()
			})
		}
	}
	switch state {
	case cut:
		x.reset()
	case blackHole:
		x.hang()
	}
	return arrived, state == healthy
}

// clear waits until the link carries a watch's messages and tells whether it
// ever will: a stream that met a black hole has lost a message, so it is silent
// from then on.
func (l *Link) clear(x *exchange) bool {
	for {
		l.mu.Lock()
		state, changed := l.state, l.changed
		l.mu.Unlock()
		switch state {
		case healthy:
			return x.ctx.Err() == nil
		case cut:
			x.reset()
			return false
		case blackHole:
			x.hang()
			return false
		}
		select {
		case <-changed:
		case <-x.ctx.Done():
			return false
		}
	}
}
