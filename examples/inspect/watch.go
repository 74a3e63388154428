package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/lease"
)

// watchFlags are those of the verb watch.
type watchFlags struct {
	all      bool
	renewals bool
}

func watchVerb() verb {
	return verb{
		name: "watch", args: "[LEASE]", json: true,
		about: "Writes a line for each change of a Lease, until Ctrl-C.",
		flags: func(set *pflag.FlagSet) func(context.Context, *call) error {
			f := &watchFlags{}
			set.BoolVarP(&f.all, "all-namespaces", "A", false, "the Leases of all namespaces")
			set.BoolVar(&f.renewals, "renewals", false, "also a line for each renewal")
			return f.run
		},
	}
}

func (f *watchFlags) run(ctx context.Context, c *call) error {
	if err := c.atMostOne(); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	s := c.scope(f.all)
	w := &watcher{call: c, flags: f, scope: s, known: map[scope]lease.Record{}}
	return c.follow(ctx, s, w)
}

// line is what watch says of one change. Its JSON is documented in README.md.
type line struct {
	Time      time.Time `json:"time"` // when this machine saw it, by its clock
	Namespace string    `json:"namespace,omitempty"`
	Name      string    `json:"name,omitempty"`
	Event     string    `json:"event"`
	Holder    string    `json:"holder,omitempty"`
	Epoch     string    `json:"epoch,omitempty"`
	Text      string    `json:"text"`
}

// watcher is the sink that writes lines.
type watcher struct {
	call  *call
	flags *watchFlags
	scope scope
	known map[scope]lease.Record
	away  bool // the API server was out of reach at the last attempt
}

func (w *watcher) listed(items []coordv1.Lease) bool {
	if w.away {
		w.away = false
		w.write(line{Event: "reached", Text: "the API server answers again; what happened meanwhile is not known"})
	}
	there := map[scope]bool{}
	for i := range items {
		key := scope{items[i].Namespace, items[i].Name}
		there[key] = true
		w.seen(key, lease.NewRecord(&items[i]))
	}
	for key, before := range w.known {
		if !there[key] {
			w.removed(key, before)
		}
	}
	if w.scope.name != "" && len(items) == 0 && len(w.known) == 0 {
		w.write(line{
			Namespace: w.scope.namespace, Name: w.scope.name, Event: "missing", Text: "there is no such Lease yet",
		})
	}
	return true
}

func (w *watcher) changed(l *coordv1.Lease, deleted bool) bool {
	key := scope{l.Namespace, l.Name}
	if deleted {
		w.removed(key, lease.NewRecord(l))
	} else {
		w.seen(key, lease.NewRecord(l))
	}
	return true
}

func (w *watcher) failed(err error) bool {
	if !w.away {
		w.away = true
		w.write(line{Event: "away", Text: err.Error()})
	}
	return true
}

func (w *watcher) removed(key scope, r lease.Record) {
	delete(w.known, key)
	if w.scope.name != "" || ours(r.Lease()) {
		w.write(line{Namespace: key.namespace, Name: key.name, Event: "deleted", Text: "the Lease was deleted"})
	}
}

func (w *watcher) seen(key scope, now lease.Record) {
	before, known := w.known[key]
	w.known[key] = now
	if w.scope.name == "" && !ours(now.Lease()) {
		return
	}
	event, text := difference(before, now, known)
	if event == "" || event == "renewed" && !w.flags.renewals {
		return
	}
	l := line{Namespace: key.namespace, Name: key.name, Event: event, Text: text, Holder: now.Holder()}
	if epoch, err := now.Epoch(); err == nil && epoch > 0 {
		l.Epoch = fmt.Sprint(epoch)
	}
	w.write(l)
}

func (w *watcher) write(l line) {
	l.Time = w.call.now()
	if w.call.json {
		l.Time = l.Time.UTC()
		_ = w.call.printLine(l) // standard output is gone: nobody reads
		return
	}
	name := l.Name
	if w.scope.namespace == "" && l.Namespace != "" {
		name = l.Namespace + "/" + l.Name
	}
	words := strings.Join(strings.Fields(fmt.Sprintf("%s %s: %s", name, l.Event, l.Text)), " ")
	w.call.print("%s  %s", l.Time.Format("15:04:05.000"), words)
}

// difference says what changed between two records of a Lease. Empty: nothing that matters.
func difference(before, now lease.Record, known bool) (event, text string) {
	epoch, _ := now.Epoch() // damaged is told as such below
	was, _ := before.Epoch()
	holder := podOf(now.Holder())
	sameTerm := known && now.Holder() == before.Holder() && now.Term() == before.Term() &&
		now.AcquireTime().Equal(before.AcquireTime())
	successor := now.Annotation(lease.AnnotationSuccessor)
	switch {
	case known && now.UID() != before.UID():
		return "replaced", "the Lease was deleted and created again; holder " + dash(holder)
	case !known && now.Holder() == "":
		return "seen", "nobody holds it"
	case !known:
		return "seen", fmt.Sprintf("%s holds it, epoch %d, since %s by its clock", holder, epoch,
			now.AcquireTime().UTC().Format(timeFormat))
	case now.Holder() == "" && before.Holder() != "" && now.Released():
		return "released", podOf(before.Holder()) + " released it after its work had returned"
	case now.Holder() == "" && before.Holder() != "":
		return "cleared", "somebody removed the holder " + podOf(before.Holder())
	case !sameTerm && now.Holder() != "":
		text := fmt.Sprintf("%s acquired it, epoch %d", holder, epoch)
		if before.Holder() != "" && before.Holder() != now.Holder() {
			text += ", without a release by " + podOf(before.Holder())
		}
		return "acquired", text
	case epoch != was:
		return "raised", fmt.Sprintf("the epoch went from %d to %d within a term", was, epoch)
	case successor != before.Annotation(lease.AnnotationSuccessor) && successor == "":
		return "successor", "the successor's name was removed"
	case successor != before.Annotation(lease.AnnotationSuccessor) && podOf(successor) != successor:
		return "successor", podOf(successor) + " answered: the holder ends its work, then hands over"
	case successor != before.Annotation(lease.AnnotationSuccessor):
		return "successor", successor + " is named as the next holder"
	case !now.RenewTime().Equal(before.RenewTime()):
		return "renewed", "by " + holder
	case now.ResourceVersion() == before.ResourceVersion():
		return "", ""
	}
	return "edited", "something else was written: a label or an annotation"
}
