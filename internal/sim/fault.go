package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Fault is one thing that goes wrong, from At, for a while.
type Fault struct {
	Kind Kind
	Node int // whose; -1 for everybody's
	At   time.Duration
	For  time.Duration
	N    int64 // what it means depends on Kind
}

// Kind of a [Fault].
type Kind string

const (
	// On a node's link, or everybody's.
	Cut          Kind = "cut"           // connections break, new ones are refused
	BlackHole    Kind = "black-hole"    // messages vanish
	DelayRequest Kind = "delay-request" // by N ms, before the commit
	DelayAnswer  Kind = "delay-answer"  // by N ms, after the commit
	LoseRequest  Kind = "lose-request"  // N % of the requests: reset before the commit
	LoseAnswer   Kind = "lose-answer"   // N % of the answers: reset after the commit
	HangAnswer   Kind = "hang-answer"   // N % of the answers never come
	Refuse       Kind = "refuse"        // HTTP status N: 409, 429, 500, 503
	RefuseOnce   Kind = "refuse-once"   // one write, with HTTP status N: 401, 403, 409
	Lie          Kind = "lie"           // N/10 % of the writes are answered 200 and not stored; N%10 says with what: see lies

	// On watches.
	EndWatches    Kind = "end-watches"
	ExpireWatches Kind = "expire-watches" // 410
	Duplicate     Kind = "duplicate"      // N % of the events come twice
	Stale         Kind = "stale"          // N % of the events are followed by an old one
	Reorder       Kind = "reorder"        // N % of the events are overtaken by later ones
	SlowEvents    Kind = "slow-events"    // by N ms

	// On the API server and the Lease.
	Restart    Kind = "api-restart"   // every connection breaks, nobody is served meanwhile
	Compact    Kind = "compact"       // what was listed is too old to watch from: 410
	Restore    Kind = "restore"       // of the backup taken N ms before, without a bump
	Bumped     Kind = "restore-bump"  // the same with --bump-revision
	Delete     Kind = "delete"        // the Lease
	Label      Kind = "label"         // the Lease
	Foreign    Kind = "foreign"       // somebody writes itself in as the holder
	Clear      Kind = "clear"         // somebody clears the holder
	Tamper     Kind = "tamper"        // an annotation is removed or garbled
	RaiseEpoch Kind = "raise-epoch"   // by N, as an operator fences
	Lower      Kind = "lower-epoch"   // to 1
	Shorten    Kind = "edit-duration" // to N seconds
	PutBack    Kind = "put-back"      // its spec, annotations and labels as they were before; N chooses when
	Replace    Kind = "replace"       // with the manifest: no spec, no annotations, no labels
	Name       Kind = "name"          // somebody names a successor: N chooses whom
	Reship     Kind = "reship"        // deleted and created from the manifest, N times, while the link is cut

	// A server that answers slowly is no fault: somebody is to be active. N ms, or
	// evenly up to -N, before the commit.
	SlowServer Kind = "slow-server" // each request
	SlowWrites Kind = "slow-writes" // each write
	// SlowAdmission is a server that takes N ms between the look on which it admits a
	// write and the write, and begins anew if something was written meanwhile.
	SlowAdmission Kind = "slow-admission"
	// StaleCache is a Restore under a running API server, which is restarted when
	// it is over: until the store's revision passes what was known before, LISTs
	// and WATCHes are answered from then.
	StaleCache Kind = "stale-cache"

	// On a node.
	StoppedClock Kind = "stopped-clock" // the wall clock stands still, or, N=1, runs backwards
	Freeze       Kind = "freeze"
	Crash        Kind = "crash"      // back after For; N=1: as a new Pod
	Stop         Kind = "stop"       // graceful, drains N ms; back after For
	Resign       Kind = "resign"     // gives its term up
	Overrun      Kind = "overrun"    // work outstays its context; N=1: which a resignation ends, 2: an intruder
	Wedge        Kind = "wedge"      // work hangs until its context ends; N=1: then it outstays that
	Hooks        Kind = "hooks"      // block
	GuardDown    Kind = "guard-down" // the guard cannot be reached
	SlowGuard    Kind = "slow-guard" // calls of the guard take up to N ms each way, and effects too
)

// Effects that are not one kind's own.
const (
	NoLease      Kind = "no-lease"      // the Lease is not there at first
	Drain        Kind = "drain"         // work drained with its term still valid
	DrainTimeout Kind = "drain-timeout" // the guard gave up waiting for an older effect
	ProvenDead   Kind = "proven-dead"   // evidence showed that a process is dead
	VersionTwice Kind = "version-twice" // a write got a version that another record was shown with before
)

func (f Fault) String() string {
	s := fmt.Sprintf("%-14s %s", f.Kind, name(f.Node))
	if f.N != 0 {
		s += fmt.Sprintf(" %d", f.N)
	}
	if f.For > 0 {
		s += fmt.Sprintf(" for %v", f.For)
	}
	return s
}

// over is when nothing of the fault is left.
func (f Fault) over() time.Duration {
	if f.slow() {
		return f.At + f.For + f.most()
	}
	switch late := time.Duration(f.N) * time.Millisecond; f.Kind {
	case Stop: // its work drains
		return f.At + max(f.For, late)
	case SlowGuard: // there, the effect, and back
		return f.At + f.For + 3*late
	case Reorder:
		return f.At + f.For + overtaken
	case DelayRequest, DelayAnswer, SlowEvents: // what was sent last is under way
		return f.At + f.For + late
	}
	return f.At + f.For
}

// most is how long a slow server takes.
func (f Fault) most() time.Duration {
	return time.Duration(max(f.N, -f.N)) * time.Millisecond
}

// slow reports whether the fault is a server that answers, only late.
func (f Fault) slow() bool {
	return f.Kind == SlowServer || f.Kind == SlowWrites || f.Kind == SlowAdmission
}

// excuses is until when nobody may be active for the fault.
func (f Fault) excuses() time.Duration {
	switch {
	case f.slow(), f.Kind == StoppedClock:
		return 0
	case f.Kind == StaleCache: // then the store answers writes and GETs
		return f.At
	}
	return f.over()
}

// code is the fault in one word, for [ParseFaults].
func (f Fault) code() string {
	return fmt.Sprintf("%s:%d:%v:%v:%d", f.Kind, f.Node, f.At, f.For, f.N)
}

// ParseFaults reads the words a replay command lists.
func ParseFaults(text string) ([]Fault, error) {
	var out []Fault
	for word := range strings.FieldsSeq(text) {
		part := strings.Split(word, ":")
		if len(part) != 5 {
			return nil, fmt.Errorf("fault %q must be kind:node:at:for:n", word)
		}
		node, err1 := strconv.Atoi(part[1])
		at, err2 := time.ParseDuration(part[2])
		length, err3 := time.ParseDuration(part[3])
		n, err4 := strconv.ParseInt(part[4], 10, 64)
		for _, err := range []error{err1, err2, err3, err4} {
			if err != nil {
				return nil, fmt.Errorf("fault %q: %w", word, err)
			}
		}
		out = append(out, Fault{Kind(part[0]), node, at, length, n})
	}
	return out, nil
}
