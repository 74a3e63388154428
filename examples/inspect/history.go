package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton/statuspage"
)

func historyVerb() verb {
	return verb{
		name: "history", args: "[LEASE]", json: true,
		about: "Shows the past terms of a Lease, merged from what its replicas remember.",
		flags: func(set *pflag.FlagSet) func(context.Context, *call) error {
			f := &historyFlags{}
			f.pages.add(set)
			return f.run
		},
	}
}

// historyFlags are those of the verb history.
type historyFlags struct{ pages pageFlags }

// past is what history found. Its JSON is documented in README.md.
type past struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Replicas  int               `json:"replicas"` // whose memory this is
	Terms     []statuspage.Term `json:"terms"`    // newest first
	Notes     []string          `json:"notes"`
}

func (f *historyFlags) run(ctx context.Context, c *call) error {
	if err := f.pages.check(); err != nil {
		return err
	}
	if len(f.pages.urls) > 0 && len(c.args) == 0 {
		return f.fromURLs(ctx, c)
	}
	name, err := c.one()
	if err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	s := scope{c.namespace, name}
	record, gone := c.lease(ctx, s)
	if gone != nil && (!apierrors.IsNotFound(gone) || !f.pages.known()) {
		return gone
	}
	pages, err := f.pages.read(ctx, c, s.namespace, podOf(record.Holder()))
	read, notes := own(pages, s.namespace, name)
	if gone != nil {
		notes = append(notes, gone.Error())
	}
	found := &past{Namespace: s.namespace, Name: name, Replicas: len(read), Terms: terms(read), Notes: notes}
	if len(read) > 0 {
		return f.show(c, found)
	}
	if err != nil {
		found.Notes = append(found.Notes, err.Error())
	}
	found.Notes = append(found.Notes, "this is only what the Lease itself shows")
	if current, held := currentTerm(record); held {
		found.Terms = []statuspage.Term{current}
	}
	return errors.Join(f.show(c, found), errors.New("no replica's memory could be read: see the notes"))
}

// fromURLs needs no cluster: the pages say which Lease they are about.
func (f *historyFlags) fromURLs(ctx context.Context, c *call) error {
	if c.reach.timeout <= 0 {
		return misused("--request-timeout is %v, must be above 0", c.reach.timeout)
	}
	pages, err := f.pages.read(ctx, c, "", "")
	if err != nil {
		return err
	}
	found := &past{Terms: []statuspage.Term{}}
	for _, p := range pages {
		if p.err == nil {
			found.Namespace, found.Name = p.status.Namespace, p.status.Name
			break
		}
	}
	read, notes := own(pages, found.Namespace, found.Name)
	found.Replicas, found.Terms, found.Notes = len(read), terms(read), notes
	if len(read) == 0 {
		return fmt.Errorf("no status page could be read: %s", notes)
	}
	return f.show(c, found)
}

func terms(pages []page) []statuspage.Term {
	var histories [][]statuspage.Term
	for _, p := range pages {
		histories = append(histories, p.status.History)
	}
	return append([]statuspage.Term{}, statuspage.Merge(histories...)...)
}

// currentTerm is the term that the Lease shows.
func currentTerm(r lease.Record) (statuspage.Term, bool) {
	return statuspage.Term{
		Epoch: r.Annotation(lease.AnnotationEpoch), Term: r.Term(), Holder: r.Holder(), Start: r.AcquireTime().UTC(),
	}, r.Holder() != ""
}

func (f *historyFlags) show(c *call, found *past) error {
	if found.Notes == nil {
		found.Notes = []string{}
	}
	if c.json {
		return c.printJSON(found)
	}
	memory := fmt.Sprintf("the terms that %d of its replicas remember", found.Replicas)
	if found.Replicas == 0 {
		memory = "the term on the Lease, for no replica could be asked"
	}
	c.print("Lease %s, namespace %s: %s", found.Name, found.Namespace, memory)
	c.print("")
	rows := [][]string{{"EPOCH", "HOLDER", "START (UTC)", "LASTED", "ENDED BY", "TOLD BY"}}
	for _, t := range found.Terms {
		rows = append(rows, termRow(t, c.now()))
	}
	table(c.stdout, "", rows)
	c.printNotes(found.Notes)
	return nil
}

func termRow(t statuspage.Term, now time.Time) []string {
	end, reason, by := t.End, dash(t.Reason), "others"
	if end.IsZero() {
		end, reason = now, "(goes on)"
	}
	if t.Own {
		by = "holder"
	}
	start, lasted := t.Start.UTC().Format("01-02 15:04:05"), gap(end.Sub(t.Start))
	if t.Joined && !t.Own { // whoever tells it came later
		lasted = ">" + lasted
	}
	return []string{dash(t.Epoch), podOf(t.Holder), start, lasted, reason, by}
}

// printNotes writes notes below a table.
func (c *call) printNotes(notes []string) {
	for i, note := range notes {
		if i == 0 {
			c.print("")
		}
		c.print("note: %s", wrap(note, width-6, "      "))
	}
}
