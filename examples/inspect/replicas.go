package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/statuspage"
)

// replica is what a replica's status page says, in short. Its JSON is documented in README.md.
type replica struct {
	Source   string    `json:"source"` // its Pod, or the URL of its page
	Identity string    `json:"identity"`
	State    string    `json:"state"`
	Since    time.Time `json:"since"` // of the state
	ValidFor float64   `json:"validForSeconds"`
	Holder   string    `json:"holder,omitempty"` // whom it saw last
	Guards   string    `json:"guards,omitempty"` // "ok", or what is wrong
	Program  string    `json:"program,omitempty"`
}

// inspectReplicas adds what the replicas of the one Lease say of themselves.
func (f *pageFlags) inspectReplicas(ctx context.Context, c *call, r *report) {
	e := &r.Leases[0]
	pod := ""
	if e.Holder != nil {
		pod = e.Holder.Pod
	}
	pages, err := f.read(ctx, c, e.Namespace, pod)
	if err != nil {
		told := func(note string) bool { return strings.HasSuffix(note, err.Error()) } // of the holder's Pod
		if !slices.ContainsFunc(r.Notes, told) {
			r.Notes = append(r.Notes, "the replicas are not shown: "+err.Error())
		}
		return
	}
	read, notes := own(pages, e.Namespace, e.Name)
	r.Notes = append(r.Notes, notes...)
	latest := acceptances(read)
	for _, p := range read {
		r.Replicas = append(r.Replicas, inShort(p, latest))
	}
	e.judgePages(read)
	e.judgeHistory(terms(read), c.now())
	if len(read) == len(pages) {
		e.judgeHolder(read)
	}
}

func inShort(p page, latest acceptance) replica {
	s := p.status
	return replica{
		Source: shown(p.source), Identity: s.Identity, State: s.State, Since: s.Since, ValidFor: s.ValidForSeconds,
		Holder: s.Holder.Identity, Guards: guardsOf(s, latest), Program: s.Program,
	}
}

// acceptance is the highest epoch that each guard, by its index, has accepted of any replica.
type acceptance map[int]int64

func acceptances(pages []page) acceptance {
	latest := acceptance{}
	for _, p := range pages {
		for _, g := range p.status.Guards {
			if g.Accepted {
				latest[g.Index] = max(latest[g.Index], number(g.Epoch))
			}
		}
	}
	return latest
}

// over reports whether an answer says nothing of the present: the guard accepted a later term.
func (a acceptance) over(g statuspage.Guard) bool { return number(g.Epoch) < a[g.Index] }

// number is an epoch, or 0 for text that is none.
func number(epoch string) int64 {
	n, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func guardsOf(s statuspage.Status, latest acceptance) string {
	var wrong []string
	for _, g := range s.Guards {
		if !g.Accepted && !latest.over(g) {
			wrong = append(wrong, fmt.Sprintf("%d: %s", g.Index, g.Kind))
		}
	}
	switch {
	case len(s.Guards) == 0:
		return ""
	case len(wrong) == 0:
		return "ok"
	}
	return strings.Join(wrong, ", ")
}

// recently is how far back judgeHistory looks.
const recently = 10 * time.Minute

// calmAfter is how long a term lasts at least before those that ended again and again are past.
const calmAfter = time.Minute

// judgeHistory tells of terms that end again and again, but not of those that somebody ended. That
// is a warning once a term has lasted for longer than any of them, and for calmAfter.
func (e *entry) judgeHistory(history []statuspage.Term, now time.Time) {
	count := map[string]int{}
	ended := 0
	var current, longest time.Duration
	if len(history) > 0 && history[0].End.IsZero() {
		current = now.Sub(history[0].Start)
	}
	for _, t := range history {
		switch singleton.Reason(t.Reason) {
		case "", singleton.ReasonShutdown, singleton.ReasonResigned, singleton.ReasonReleased:
			continue
		}
		if !t.End.IsZero() && now.Sub(t.End) < recently {
			count[t.Reason]++
			ended++
			longest = max(longest, t.End.Sub(t.Start))
		}
	}
	if ended < 3 {
		return
	}
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(count)) {
		reasons = append(reasons, fmt.Sprintf("%s (%d)", reason, count[reason]))
	}
	text := fmt.Sprintf("%d terms ended within %s: %s; 'kubectl hotseat history' lists them", ended,
		short(recently), strings.Join(reasons, ", "))
	if current > max(calmAfter, longest) {
		e.warn("%s; the current one has lasted for %s", text, short(current))
		return
	}
	e.problem("%s", text)
}

// judgeHolder looks for the holder among all replicas.
func (e *entry) judgeHolder(pages []page) {
	if e.Holder == nil || len(pages) == 0 {
		return
	}
	restarted := false
	for _, p := range pages {
		if p.status.Identity == e.Holder.Identity {
			return
		}
		restarted = restarted || p.name() == e.Holder.Pod
	}
	if restarted {
		e.problem("the holder's process has ended, and %s runs another one: a standby takes over %.0fs after the"+
			" last renewal, or at once with proof of the death", e.Holder.Pod, e.Renewal.Duration)
		return
	}
	e.problem("the holder is none of these replicas, and says that it is the program %s: does another"+
		" application use this Lease?", dash(e.Holder.Program))
}

// longDrain is from when a drain is worth a word: Kubernetes itself gives a Pod 30 s to end.
const longDrain = 30 * time.Second

// judgePages says what the replicas' accounts show that the Lease does not.
func (e *entry) judgePages(pages []page) {
	var active, standing []string
	other, latest := "", acceptances(pages)
	for _, p := range pages {
		s, name := p.status, p.name()
		switch s.State {
		case singleton.StateActive.String():
			active = append(active, name)
		case singleton.StateStandby.String():
			standing = append(standing, name)
		}
		switch {
		case s.State == singleton.StateStopped.String():
			e.problem("%s does not stand for election: its Run has ended; look at its log", name)
		case s.NotReady != "":
			e.problem("%s could not take over: %s; its log says more", name,
				strings.TrimPrefix(s.NotReady, "singleton: "))
		}
		other = cmp.Or(other, s.OtherProgram)
		if s.LeaseMissing && e.State != stateMissing {
			e.problem("%s found no Lease when it looked last", name)
		}
		e.judgeWork(name, s)
		for _, g := range s.Guards {
			e.judgeGuard(name, g, latest)
		}
		first := pages[0].status
		if s.Timings != first.Timings {
			e.problem("%s and %s have different timings: %+v and %+v", pages[0].name(), name, first.Timings, s.Timings)
		}
	}
	if other != "" {
		e.problem("another program than the replicas' holds the Lease: %s; two applications must not share one"+
			" Lease", other)
	}
	if len(active) > 1 {
		e.problem("%d replicas say that they are active: %s", len(active), strings.Join(active, ", "))
	}
	if len(pages) > 0 && len(standing) == 0 {
		e.note("no replica stands by: if the active ends, nobody takes over at once")
	}
}

func (e *entry) judgeWork(name string, s statuspage.Status) {
	if s.Work != nil && s.Work.RenewalSeconds > s.Timings.RetryPeriodSeconds {
		e.warn("the last renewal of %s took %.1fs: the API server is slow to it", name, s.Work.RenewalSeconds)
	}
	drained := s.At.Sub(s.Since)
	draining := s.State == singleton.StateDraining.String() && drained > longDrain
	switch {
	case s.Overrun:
		e.problem("the work of %s has not returned in time after its term's end: it ignores its context; end"+
			" the process", name)
	case draining:
		e.problem("%s has been draining for %s%s: its work may ignore its context", name, short(drained), ending(s))
	case s.Work != nil && s.Work.Started && s.State == singleton.StateActive.String():
		if s.Work.Progress.IsZero() {
			e.note("the work of %s reports no progress: a hang would not show here", name)
		} else {
			e.note("the work of %s last reported progress %s ago", name, since(s.Work.Progress, s.At))
		}
	}
}

// ending says why work has to return, and when at the latest.
func ending(s statuspage.Status) string {
	if s.Work == nil || s.Work.Ending == "" {
		return ""
	}
	text := " (" + s.Work.Ending
	if left := s.Work.Limit.Sub(s.At); !s.Work.Limit.IsZero() && left > 0 {
		text += ", limit in " + short(left)
	}
	return text + ")"
}

func (e *entry) judgeGuard(name string, g statuspage.Guard, latest acceptance) {
	switch {
	case g.Accepted:
	case latest.over(g):
		e.note("guard %d answered %s to epoch %s of %s at %s, and has accepted a later epoch since", g.Index,
			g.Kind, g.Epoch, name, g.At.UTC().Format(time.TimeOnly))
	case g.Kind == string(fencing.KindUnavailable):
		e.problem("guard %d of %s does not answer for epoch %s: mend its store, which that replica's log names;"+
			" do not hand over meanwhile, for the work of the next term cannot start", g.Index, name, g.Epoch)
	case g.Mark != "":
		e.problem("guard %d of %s refuses epoch %s (%s): its mark is %s, so look at 'kubectl hotseat guards'",
			g.Index, name, g.Epoch, g.Kind, g.Mark)
	default:
		e.problem("guard %d of %s does not accept epoch %s: %s; look at that replica's log", g.Index, name,
			g.Epoch, g.Kind)
	}
}

// replicaRows are the table of replicas.
func (r *report) replicaRows() [][]string {
	rows := [][]string{{"REPLICA", "STATE", "SINCE", "VALID", "SEES", "GUARDS"}}
	for _, p := range r.Replicas {
		valid := "-"
		if p.ValidFor > 0 {
			valid = short(time.Duration(p.ValidFor * float64(time.Second)))
		}
		rows = append(rows, []string{
			podOf(p.Identity), p.State, since(p.Since, r.ReadAt), valid, dash(podOf(p.Holder)), dash(p.Guards),
		})
	}
	return rows
}
