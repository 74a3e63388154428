package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/lease"
)

// What is said of a Lease, in one word or two.
const (
	stateHeld       = "held"
	stateNotRenewed = "not renewed"
	stateHandover   = "handing over"
	stateReleased   = "released"
	stateNeverHeld  = "never held"
	stateCleared    = "cleared"
	stateForeign    = "not hotseat"
	stateMissing    = "missing"
)

// entry is what status says of one Lease. Its JSON is documented in README.md.
type entry struct {
	Namespace   string  `json:"namespace"`
	Name        string  `json:"name"`
	State       string  `json:"state"`
	Holder      *holder `json:"holder,omitempty"`
	Renewal     renewal `json:"renewal"`
	Transitions int32   `json:"transitions"`
	Successor   string  `json:"successor,omitempty"`
	findings
}

// findings are sentences for people.
type findings struct {
	Problems []string `json:"problems"` // the program exits with 1 if there are some
	Warnings []string `json:"warnings"` // to be mended, but does no harm
	Notes    []string `json:"notes"`
}

func nothingFound() findings { return findings{[]string{}, []string{}, []string{}} }

func (f *findings) problem(format string, args ...any) {
	f.Problems = append(f.Problems, fmt.Sprintf(format, args...))
}

func (f *findings) warn(format string, args ...any) {
	f.Warnings = append(f.Warnings, fmt.Sprintf(format, args...))
}

func (f *findings) note(format string, args ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, args...))
}

type holder struct {
	Identity string        `json:"identity"`
	Pod      string        `json:"pod"`
	Epoch    string        `json:"epoch,omitempty"` // as text: it may be too large for a JSON number
	Token    string        `json:"token,omitempty"`
	Program  string        `json:"program,omitempty"`
	Since    time.Time     `json:"since,omitzero"` // by its clock
	ahead    time.Duration // of its clock before the API server's, if that is far
}

// held is how long the holder has held the Lease. The time is that of the API server.
func (h *holder) held(now time.Time) string { return since(h.Since, now.Add(h.ahead)) }

type renewal struct {
	Seen     int       `json:"seen"`         // while status looked
	At       time.Time `json:"at,omitzero"`  // by the holder's clock
	Age      float64   `json:"ageSeconds"`   // by the API server's clock
	Duration float64   `json:"leaseSeconds"` // how long a standby waits
}

// sight is a Lease as status saw it.
type sight struct {
	record   lease.Record
	renewals int           // how many were seen
	ahead    time.Duration // of the holder's clock before the API server's, at the last one
	blur     time.Duration // how wrong that may be, because answers take time
	terms    int           // how many began while status looked
	deleted  int           // how often it was deleted while status looked
	missing  bool          // nobody has created it since
}

// farOff is from when a clock is worth a word. The API server tells its own in whole seconds.
const farOff = 5 * time.Second

// judge says what a Lease shows. The time is that of the API server.
func judge(s sight, now time.Time) entry {
	r := s.record
	l := r.Lease()
	e := entry{
		Namespace: l.Namespace, Name: l.Name, Transitions: r.Transitions(), Successor: r.Successor(),
		findings: nothingFound(),
		Renewal: renewal{
			Seen: s.renewals, At: r.RenewTime().UTC(), Duration: r.Duration().Seconds(),
		},
	}
	if !r.RenewTime().IsZero() {
		e.Renewal.Age = float64(now.Sub(r.RenewTime()).Round(100*time.Millisecond).Milliseconds()) / 1000
	}
	if r.Holder() == "" {
		e.judgeFree(s)
	} else {
		e.judgeHeld(s, now)
	}
	if s.deleted > 0 {
		e.problem("somebody deleted the Lease while it was looked at")
	}
	if s.missing {
		e.State = stateMissing
	}
	switch {
	case s.terms > 1:
		e.problem("%d terms began while it was looked at: terms end at once; look at the replicas' logs",
			s.terms)
	case s.terms > 0:
		e.note("a term began while it was looked at")
	}
	e.judgeEpoch(r)
	return e
}

func (e *entry) judgeFree(s sight) {
	r := s.record
	switch {
	case r.Released():
		e.State = stateReleased
		if s.terms == 0 { // else terms end as soon as they begin, which judge tells
			e.problem("nobody is active: no replica acquires the Lease; look at the replicas' logs")
		}
	case r.Term() == "" && !r.Vacant() && r.RenewTime().IsZero(), r.Vacant():
		e.State = stateNeverHeld
		e.problem("nobody has held the Lease since it was created: is a replica running, with the right to" +
			" patch it?")
	default:
		e.State = stateCleared
		e.problem("the Lease has no holder, but its last one did not release it: somebody edited it, or" +
			" another elector did; a hotseat standby acquires it a lease duration after the edit")
	}
}

func (e *entry) judgeHeld(s sight, now time.Time) {
	r := s.record
	e.State = stateHeld
	e.Holder = &holder{
		Identity: r.Holder(), Pod: podOf(r.Holder()), Program: r.Program(), Since: r.AcquireTime().UTC(),
	}
	token, ours := r.Token()
	switch {
	case ours:
		e.Holder.Epoch, e.Holder.Token = strconv.FormatInt(token.Epoch, 10), token.String()
	case r.Annotation(lease.AnnotationHolder) == r.Holder():
		e.problem("the holder's token on the Lease is damaged or was removed: the holder repairs it with its" +
			" next renewal; if it stays, look for whoever edits the annotations")
	default:
		e.State = stateForeign
		e.problem("another elector than hotseat holds the Lease: two applications must not share one Lease")
	}
	late := s.renewals == 0 && r.Duration() > 0 && now.Sub(r.RenewTime()) > r.Duration()
	if late {
		e.State = stateNotRenewed
		e.problem("not renewed for %v: its holder is dead, frozen or cut off, and no standby takes over",
			short(now.Sub(r.RenewTime())))
	}
	if s.renewals > 0 && s.ahead.Abs() > farOff+s.blur {
		e.Holder.ahead = s.ahead
		e.warn("the holder's clock is %s the API server's: times on the Lease are wrong by that much; hotseat"+
			" does not compare clocks, but people and other electors do", apart(s.ahead))
	}
	switch to := r.Annotation(lease.AnnotationSuccessor); {
	case to == "":
	case podOf(to) != to && to != r.Holder() && !late:
		e.State = stateHandover
		e.note("the successor %s has answered: the holder ends its work, then hands over", podOf(to))
	default:
		e.note("%s is named as the successor, and has not answered", to)
	}
}

// judgeEpoch looks for numbers that no elector writes: rule E6 of package lease.
func (e *entry) judgeEpoch(r lease.Record) {
	epoch, err := r.Epoch()
	switch {
	case err != nil:
		e.problem("the epoch %q is not a number that hotseat writes: write the last good one again",
			r.Annotation(lease.AnnotationEpoch))
	case !believed(epoch, r.ResourceVersion()):
		e.problem("the epoch %d was written by a person: it is so far above the store's version %s that"+
			" electors refuse it; lower it", epoch, r.ResourceVersion())
	}
}

// believed reports whether an elector without Config.Fencing.Floor believes an epoch.
func believed(epoch int64, version string) bool {
	stored, _ := strconv.ParseInt(version, 10, 64) // 0 if the version is no number
	return epoch < math.MaxInt64/2 && epoch-max(stored, 0) <= 1<<53
}

// ours reports whether hotseat has written the Lease, or a manifest has shipped it for somebody.
func ours(l *coordv1.Lease) bool {
	for key := range l.Annotations {
		if strings.HasPrefix(key, lease.Domain) {
			return true
		}
	}
	return l.Spec == coordv1.LeaseSpec{}
}

// podOf is an identity without the part that each process has of its own: 16 hex digits after the
// last "_". It is the identity itself if it has no such part.
func podOf(identity string) string {
	pod, digits, found := cutLast(identity, "_")
	if !found || len(digits) != 16 || strings.Trim(digits, "0123456789abcdef") != "" {
		return identity
	}
	return pod
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// apart says which of two clocks is ahead of the other.
func apart(ahead time.Duration) string {
	if ahead < 0 {
		return short(-ahead) + " behind"
	}
	return short(ahead) + " ahead of"
}
