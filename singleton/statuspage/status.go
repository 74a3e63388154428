package statuspage

import (
	"cmp"
	"path"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// Status is what one replica knows, as its handler answers in JSON. Its members are stable; later
// versions may add some. All times are by the clock of the replica's machine, but for those of
// Lease, which are by the clocks of whoever wrote the Lease.
type Status struct {
	Replica
	Lease   Lease   `json:"lease,omitzero"` // as last read; left out if there is none
	Timings Timings `json:"timings"`
	History []Term  `json:"history"` // newest first; see [singleton.Elector.History]
	Versions
}

// Replica is a part of [Status]: the replica and its election.
type Replica struct {
	At        time.Time `json:"at"`        // when the answer was made
	Identity  string    `json:"identity"`  // see [singleton.Elector.Identity]
	Namespace string    `json:"namespace"` // of the Lease
	Name      string    `json:"name"`      // of the Lease
	State     string    `json:"state"`     // a [singleton.State]
	Since     time.Time `json:"since"`     // when State was entered
	Holder    Holder    `json:"holder,omitzero"`
	Health
}

// Health is a part of [Status]: what may be wrong.
type Health struct {
	// ValidForSeconds is how long the term stays valid unless renewed; 0 without a term.
	ValidForSeconds float64 `json:"validForSeconds"`
	// NotReady is why this replica could not take over; left out if it could. See
	// [singleton.Elector.Ready].
	NotReady string `json:"notReady,omitempty"`
	// OtherProgram is the program of the holder, if that is another one than this replica's: two
	// applications may share the Lease by mistake.
	OtherProgram string  `json:"otherProgram,omitempty"`
	Overrun      bool    `json:"overrun"`        // see [singleton.Status]
	LeaseMissing bool    `json:"leaseMissing"`   // there was no Lease at the last look
	Polls        bool    `json:"polls"`          // see [singleton.Elector.Polls]
	Guards       []Guard `json:"guards"`         // what each answered last; empty if none was asked
	Work         *Work   `json:"work,omitempty"` // of the current term; left out without one
}

// Work is how the current term of the replica goes. See [singleton.TermStatus].
type Work struct {
	Started  bool      `json:"started"`           // the guards and OnAcquire let it start
	Progress time.Time `json:"progress,omitzero"` // last reported; left out if it never was
	// RenewalSeconds is how long the last acknowledged renewal took; 0 before the first.
	RenewalSeconds float64   `json:"renewalSeconds"`
	Ending         string    `json:"ending,omitempty"` // a [singleton.Reason]: why work has to return
	Limit          time.Time `json:"limit,omitzero"`   // by when; left out until work drains
}

// Holder is who holds the Lease, as this replica saw last. It is left out if nobody does.
type Holder struct {
	Identity string    `json:"identity"`
	Self     bool      `json:"self"`            // it is this replica
	Dead     bool      `json:"dead"`            // its process is proven dead
	Token    string    `json:"token,omitempty"` // see [fencing.Token]
	Epoch    string    `json:"epoch,omitempty"` // the token's, in decimal
	Since    time.Time `json:"since,omitzero"`  // the Lease's acquireTime, by the holder's clock
}

// Guard is what one of singleton.Config.Guards answered to the last announcement of this replica.
type Guard struct {
	Index    int       `json:"index"` // in Config.Guards
	Accepted bool      `json:"accepted"`
	Kind     string    `json:"kind,omitempty"` // why not: a [fencing.Kind]; left out if accepted
	Mark     string    `json:"mark,omitempty"` // the epoch of the later token that it has seen
	Epoch    string    `json:"epoch"`          // that was announced
	At       time.Time `json:"at"`
}

// Lease is the Lease as last read: what electors write on it. Other annotations and labels are left
// out.
type Lease struct {
	UID             string    `json:"uid"`
	ResourceVersion string    `json:"resourceVersion"`
	Holder          string    `json:"holderIdentity"`
	DurationSeconds int       `json:"leaseDurationSeconds"`
	Transitions     int       `json:"leaseTransitions"`
	AcquireTime     time.Time `json:"acquireTime,omitzero"`
	RenewTime       time.Time `json:"renewTime,omitzero"`
	Marks
}

// Marks is a part of [Lease]: what hotseat's annotations say.
type Marks struct {
	Epoch     string `json:"epoch,omitempty"`
	Term      string `json:"term,omitempty"`
	Program   string `json:"program,omitempty"`
	Successor string `json:"successor,omitempty"`
	Released  bool   `json:"released"`
	Vacant    bool   `json:"vacant"` // a standby created it, and nobody has held it
}

// Timings are the elector's. See [lease.Timing].
type Timings struct {
	LeaseDurationSeconds float64 `json:"leaseDurationSeconds"`
	RenewDeadlineSeconds float64 `json:"renewDeadlineSeconds"`
	RetryPeriodSeconds   float64 `json:"retryPeriodSeconds"`
	MaxClockDrift        float64 `json:"maxClockDrift"`
	StopBudgetSeconds    float64 `json:"stopBudgetSeconds"`
}

// Term is a term of some replica. See [singleton.SeenTerm].
type Term struct {
	Epoch  string    `json:"epoch,omitempty"` // in decimal; left out if the holder wrote no token
	Term   string    `json:"term,omitempty"`  // the token's random id
	Holder string    `json:"holder"`
	Start  time.Time `json:"start"`
	End    time.Time `json:"end,omitzero"`     // left out while the term lasts
	Reason string    `json:"reason,omitempty"` // a [singleton.Reason]
	Own    bool      `json:"own"`              // this is the holder's own account
	Joined bool      `json:"joined"`           // it may have begun before Start

	// Renewed is when the last renewal was seen, if Own is false and the term has ended.
	Renewed time.Time `json:"renewed,omitzero"`
}

// Versions is a part of [Status]: what runs.
type Versions struct {
	Version string `json:"version"`           // of hotseat
	Program string `json:"program,omitempty"` // the main package's path and version
	Go      string `json:"go"`
}

// Of returns what the elector's replica knows now. It takes no lock and makes no request.
func Of(e *singleton.Elector) Status {
	now, record, timing := e.Status(), e.Lease(), e.Timing()
	scope := e.Scope()
	out := Status{
		Replica: Replica{
			At: time.Now().Round(0), Identity: e.Identity(),
			Namespace: path.Dir(scope), Name: path.Base(scope),
			State: now.State.String(), Since: now.Since.Round(0),
			Holder: holderOf(now, record),
			Health: Health{
				ValidForSeconds: seconds(now.ValidFor), Overrun: now.Overrun,
				LeaseMissing: now.Missing, Polls: e.Polls(), Guards: guardsOf(e), Work: workOf(now.Term),
			},
		},
		Lease: leaseOf(record),
		Timings: Timings{
			seconds(timing.LeaseDuration), seconds(timing.RenewDeadline),
			seconds(timing.RetryPeriod), timing.MaxClockDrift, seconds(timing.StopBudget()),
		},
		History:  historyOf(e.History()),
		Versions: versions(),
	}
	if err := e.Ready(); err != nil {
		out.NotReady = err.Error()
	}
	wrote := record.Annotation(lease.AnnotationHolder) == record.Holder() // and with it the program
	if program := record.Program(); wrote && !now.Holder.Self && program != e.Program() {
		out.OtherProgram = program
	}
	return out
}

func holderOf(now singleton.Status, record lease.Record) Holder {
	h := Holder{Identity: now.Holder.Identity, Self: now.Holder.Self, Dead: now.Holder.Dead}
	if token := now.Holder.Token; !token.IsZero() {
		h.Token, h.Epoch = token.String(), decimal(token.Epoch)
	}
	if record.Holder() == h.Identity && h.Identity != "" {
		h.Since = record.AcquireTime()
	}
	return h
}

func workOf(t *singleton.Term) *Work {
	if t == nil {
		return nil
	}
	now := t.Status()
	w := &Work{
		Started: now.Working, Progress: now.Progress, RenewalSeconds: seconds(now.Renewal),
		Limit: now.Limit,
	}
	if now.Ending != nil {
		w.Ending = string(now.Ending.Reason)
	}
	return w
}

func guardsOf(e *singleton.Elector) []Guard {
	told, ok := e.Announced()
	if !ok {
		return []Guard{}
	}
	guards := make([]Guard, told.Guards)
	for i := range guards {
		guards[i] = Guard{
			Index: i, Accepted: true, Epoch: decimal(told.Token.Epoch), At: told.At.Round(0),
		}
	}
	for _, failure := range told.Failed {
		g := &guards[failure.Guard]
		g.Accepted, g.Kind, g.At = false, string(fencing.KindOf(failure)), failure.At.Round(0)
		if _, mark := fencing.Refusal(failure); !mark.IsZero() {
			g.Mark = decimal(mark.Epoch)
		}
	}
	return guards
}

func leaseOf(r lease.Record) Lease {
	if !r.Exists() {
		return Lease{}
	}
	return Lease{
		UID: string(r.UID()), ResourceVersion: r.ResourceVersion(), Holder: r.Holder(),
		DurationSeconds: int(r.Duration() / time.Second), Transitions: int(r.Transitions()),
		AcquireTime: r.AcquireTime(), RenewTime: r.RenewTime(),
		Marks: Marks{
			Epoch: r.Annotation(lease.AnnotationEpoch), Term: r.Term(), Program: r.Program(),
			Successor: r.Successor(), Released: r.Released(), Vacant: r.Vacant(),
		},
	}
}

func historyOf(seen []singleton.SeenTerm) []Term {
	terms := make([]Term, len(seen))
	for i, t := range seen {
		terms[i] = Term{
			Term: t.Token.Term, Holder: t.Holder, Start: t.Start, End: t.End, Renewed: t.Renewed,
			Reason: string(t.Reason), Own: t.Own, Joined: t.Joined,
		}
		if !t.Token.IsZero() {
			terms[i].Epoch = decimal(t.Token.Epoch)
		}
	}
	return terms
}

// seconds is exact to a millisecond.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

func decimal(epoch int64) string { return strconv.FormatInt(epoch, 10) }

func versions() Versions {
	const module = "github.com/hotseat-go/hotseat"
	v := Versions{Version: "unknown", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Program = info.Path
	if info.Main.Version != "" {
		v.Program += " " + info.Main.Version
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module {
			v.Version = cmp.Or(m.Version, v.Version)
		}
	}
	return v
}
