package main

// state is the whole world at one instant. It is comparable: two equal states
// have the same future.
type state struct {
	now uint8
	bad violation

	record   uint16 // what the API server stores
	before   uint16 // what was there before, where that can prove something; see unknown
	version  uint8  // of the store
	last     bool   // a look shows that the record's claim is the last one
	after    uint8  // the version that a watch showed right before the record
	nextUID  uint8
	nextTerm uint8
	saved    uint16 // the file that somebody keeps and may put back; see unknown
	backup   backup
	restored uint8 // tick + 1 of the last restore
	stopped  uint8 // tick + 1 since which the API server is down for a restore; 0: it is up

	mark     tok // the guard's mark
	started  [4]tok
	nStarted uint8

	highest  tok  // of the terms that were ever committed
	wentBack bool // restored without a bump: numbers may repeat
	misled   bool // somebody said that nobody is at work: shipped anew, or restored

	left budget
	proc [2]proc
}

// unknown is no record, and not a missing Lease either.
const unknown = 1<<16 - 1

// backup of the store: what a restore brings back.
type backup struct {
	record, before uint16
	version        uint8 // 0: there is none
	last           bool
}

// budget is what may still happen to the world.
type budget struct {
	Deletes, Ships, Strangers, Clears, Replaces, PutBacks, Bumped, Unbumped, Crashes, Pauses, Resigns uint8
}

type tok struct{ epoch, term uint8 }

// claim is lease.Claim.
type claim struct {
	tok
	record uint16
	from   uint16 // what it is taken from, until it is acknowledged
	sent   uint8  // and when that was first tried
	after  uint8  // the version that its writes tell; 0: they tell nothing
}

type phase uint8

const (
	standby   phase = iota
	reading         // a read is under way
	creating        // a create is
	acquiring       // writes of a new term are
	term            // holding, until work has returned
	releasing       // and then
)

type workState uint8

const (
	untold  workState = iota // no guard knows the token yet
	told                     // the guard knows it
	running                  // work runs
	done                     // work has returned, or will never start
)

// proc is one candidate.
type proc struct {
	down, paused, greedy bool  // greedy: this process sends the first acquire
	through              bool  // it will take the Lease no more
	newcomer             bool  // it started after somebody said that nobody is at work
	behind               uint8 // tick + 1 of a restore that wiped out what it was not shown
	outlasted            uint8 // tick + 1 of a restore that its acquire was on its way through
	incarnation          uint8
	phase                phase

	knows  uint32 // see known
	before uint16 // what was there before the record in view, as the store's history has it
	last   bool   // what a look would show of that record
	relist bool   // its watch broke: it has to list before it is shown changes
	event  event  // on its way
	read   read

	claim   claim
	work    workState
	ctxOver bool  // the work's context has ended
	over    bool  // validity has, for good
	vacated bool  // because the Lease was cleared or deleted
	lostAt  uint8 // when
	seat    uint8 // only for wrong rules: its seat is to be taken back before then

	writes [3]write

	acquires, renewals, creates uint8 // that it may still send
	wrote                       uint8 // bodies: each has a time of its own
}

// event is what a watch or a read shows.
type event struct {
	present bool
	listed  bool   // a read, not a change
	stored  bool   // a Get
	record  uint16 // what it shows
	before  uint16 // what was there before; not known to whom it is shown
	last    bool   // as in proc; not known either
	version uint8
	newest  uint8 // of the store, seen beside
	after   uint8 // what the same watch showed before
}

type readKind uint8

const (
	first   readKind = iota + 1 // a List before the watch begins
	confirm                     // a Get and a List, to decide on
	prove                       // a look at what was there before
	trace                       // the same, of one that is held
	inquest                     // whether its holder is dead
)

// read is one on its way. It is answered by what is there when it is sent, and
// heard whenever.
type read struct {
	kind      readKind // 0: none
	overtaken bool     // the watch has shown something since it was sent
	event     event
}

// write is a write on its way, and what its sender does with the answer.
type write struct {
	call   call
	stage  stage
	ghost  bool // its sender has given it up; it may still land
	sent   uint8
	answer uint8  // 0: the server has not acted yet
	body   uint16 // what is to be written
	over   uint16 // of a swap: what has to be stored
	record uint16 // the answer's
}

// acquires reports whether w is to begin a term.
func (w write) acquires() bool { return w.call == take || w.call == ensure }

// call is the function of protocol.Lock that makes the request.
type call uint8

const (
	take call = iota + 1
	ensure
	renew
	release
	create
)

// stage is what that call is at.
type stage uint8

const (
	put     stage = iota + 1 // writes what is missing
	swap                     // compares and swaps
	prolong                  // writes where the term is
	get                      // reads what refused it
)

const (
	ok      = 1
	refused = 2
)

type violation uint8

const (
	none violation = iota
	overlap
	epochOrder
	overwrote
	admittedTwo
	startedLate
	guardBack
)

func (v violation) String() string {
	return [...]string{
		"none",
		"two candidates' work ran at the same time",
		"a term began with an epoch no greater than one before it",
		"a renewal or release was written over a record of another term",
		"the guard admits two terms whose work has started",
		"work started on an acquire acknowledged later than sent + R",
		"the guard's mark went back",
	}[v]
}

// idle: nobody has written yet. Time need not pass before that.
func (s *state) idle() bool { return s.nextTerm == 1 && s.version == 1 && s.record != 0 }

// free returns a place for a write. The bool is false if there is none.
func (p *proc) free() (*write, bool) {
	for k := range p.writes {
		if p.writes[k].call == 0 {
			return &p.writes[k], true
		}
	}
	return nil, false
}

// abandon gives up on all writes; those that have not landed still may.
func (p *proc) abandon() {
	for k := range p.writes {
		w := &p.writes[k]
		if w.call == 0 || w.ghost {
			continue
		}
		if w.answer != 0 || w.stage == get {
			*w = write{}
			continue
		}
		w.ghost = true
	}
}

func (w write) less(o write) bool { return w.key() < o.key() }

func (w write) key() uint64 {
	key := uint64(w.body)<<48 | uint64(w.over)<<32 | uint64(w.record)<<16 | uint64(w.sent)<<9 | uint64(w.call)<<6 | uint64(w.stage)<<3 | uint64(w.answer)<<1
	if w.ghost {
		key++
	}
	return key
}
