package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/spf13/pflag"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
)

// guardsFlags are those of the verb guards.
type guardsFlags struct {
	names      []string // of environment variables
	table, key string
	mend, yes  bool
}

func guardsVerb() verb {
	return verb{
		name: "guards", args: "LEASE", json: true,
		about: "Shows the marks of SQL and Redis guards beside the Lease's epoch.",
		flags: func(set *pflag.FlagSet) func(context.Context, *call) error {
			f := &guardsFlags{}
			set.StringSliceVar(&f.names, "dsn-env", []string{"HOTSEAT_DSN"},
				"environment variable with a guard's DSN (postgres://, mysql://, redis://); repeat it")
			set.StringVar(&f.table, "table", "hotseat_fence", "table of the marks in SQL databases")
			set.StringVar(&f.key, "key", "", "key of the mark in Redis (default {LEASE}:mark)")
			set.BoolVar(&f.mend, "mend", false, "raise the Lease's epoch above marks that are too high")
			set.BoolVar(&f.yes, "yes", false, "with --mend: do it; without it, only what would be done is shown")
			return f.run
		},
	}
}

// What a guard's mark is, beside the Lease's epoch.
const (
	markCurrent  = "current"
	markNone     = "none"
	markBehind   = "behind"
	markConflict = "conflict"
	markTooHigh  = "too high"
	markDamaged  = "damaged"
	markUnknown  = "unknown"
)

// mark is what guards says of one guard. Its JSON is documented in README.md.
type mark struct {
	Guard string   `json:"guard"` // the environment variable with its DSN
	Kind  string   `json:"kind"`
	Epoch string   `json:"epoch,omitempty"`
	State string   `json:"state"`
	Text  string   `json:"text"`
	Mend  []string `json:"mend"` // steps, if there is something to mend
	epoch int64
}

// marks is what the verb guards found.
type marks struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Epoch     string `json:"epoch"` // on the Lease
	Marks     []mark `json:"guards"`
}

func (f *guardsFlags) run(ctx context.Context, c *call) error {
	name, err := c.one()
	if err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	s := scope{c.namespace, name}
	if f.key == "" {
		f.key = "{" + name + "}:mark"
	}
	stores, err := f.openAll(c, fencing.Scope(s.namespace, name))
	if err != nil {
		return err
	}
	defer func() {
		for _, opened := range stores {
			_ = opened.close() // only read from
		}
	}()
	record, found, err := f.compare(ctx, c, s, stores)
	if err != nil {
		return err
	}
	if c.json {
		err = c.printJSON(found)
	} else {
		found.print(c)
	}
	if err != nil {
		return err
	}
	if f.mend {
		return f.raise(ctx, c, s, record, found)
	}
	if slices.ContainsFunc(found.Marks, func(m mark) bool { return m.State != markCurrent }) {
		return errProblem
	}
	return nil
}

func (f *guardsFlags) openAll(c *call, scope string) (stores []*store, err error) {
	for _, name := range f.names {
		dsn := c.getenv(name)
		if dsn == "" {
			return stores, misused("$%s is empty: put a guard's DSN into it, or name other variables with --dsn-env",
				name)
		}
		opened, err := f.open(name, dsn, scope)
		if err != nil {
			return stores, err
		}
		stores = append(stores, opened)
	}
	return stores, nil
}

// compare reads the Lease, the marks, and the Lease again, so that a term which begins meanwhile is
// not taken for a fault.
func (f *guardsFlags) compare(
	ctx context.Context, c *call, s scope, stores []*store,
) (lease.Record, *marks, error) {
	for attempt := 0; ; attempt++ {
		before, err := c.lease(ctx, s)
		if err != nil {
			return before, nil, err
		}
		found := &marks{Namespace: s.namespace, Name: s.name, Epoch: before.Annotation(lease.AnnotationEpoch)}
		for _, opened := range stores {
			found.Marks = append(found.Marks, c.mark(ctx, opened, before))
		}
		after, err := c.lease(ctx, s)
		if err != nil {
			return after, nil, err
		}
		if after.Term() == before.Term() || attempt == 5 {
			return after, found, nil
		}
	}
}

// mark reads and judges one guard's mark.
func (c *call) mark(ctx context.Context, from *store, r lease.Record) mark {
	asked, cancel := c.asked(ctx)
	defer cancel()
	m := mark{Guard: from.name, Kind: from.kind, Mend: []string{}}
	seen, err := from.guard.Mark(asked, r.Scope())
	epoch, _ := r.Epoch() // 0 if damaged: status tells that
	current := fencing.Token{Scope: r.Scope(), Epoch: epoch, Term: r.Term()}
	switch {
	case err != nil && fencing.KindOf(err) == fencing.KindUnavailable && asked.Err() == nil && isDamaged(err):
		m.State, m.Text = markDamaged, from.clean(err).Error()
		m.Mend = from.byHand(current)
	case err != nil:
		m.State, m.Text = markUnknown, from.clean(err).Error()
	case seen.IsZero():
		m.State = markNone
		m.Text = "there is no mark: any token is admitted until the term is announced"
	default:
		m.epoch, m.Epoch = seen.Epoch, fmt.Sprint(seen.Epoch)
		m.judge(seen, current, r, from)
	}
	return m
}

func (m *mark) judge(seen, current fencing.Token, r lease.Record, from *store) {
	switch {
	case seen.Epoch < current.Epoch:
		m.State = markBehind
		m.Text = "older tokens are admitted until the term is announced: was the mark lost, or does the elector" +
			" not have this guard?"
	case seen.Epoch > current.Epoch && seen.Epoch < math.MaxInt64 && believed(seen.Epoch+1, r.ResourceVersion()):
		m.State = markTooHigh
		m.Text = fmt.Sprintf("it refuses every token of the Lease up to %d: raise the Lease's epoch above it, as"+
			" the line below or --mend --yes does. The active's term then ends", seen.Epoch)
		m.Mend = []string{fmt.Sprintf("kubectl annotate lease %s -n %s --overwrite %s=%d", r.Lease().Name,
			r.Lease().Namespace, lease.AnnotationEpoch, seen.Epoch+1)}
	case seen.Epoch > current.Epoch:
		m.State = markTooHigh
		m.Text = "it is so high that electors refuse a greater epoch on the Lease: replace it by hand"
		m.Mend = from.byHand(current)
	case seen.Term != current.Term:
		m.State = markConflict
		m.Text = "another term has the same epoch: is this another cluster's guard?"
	default:
		m.State, m.Text = markCurrent, "it is the Lease's token"
	}
}

func (found *marks) print(c *call) {
	c.print("Lease %s, namespace %s: epoch %s", found.Name, found.Namespace, dash(found.Epoch))
	c.print("")
	rows := [][]string{{"GUARD", "STORE", "MARK", "STATE"}}
	for _, m := range found.Marks {
		rows = append(rows, []string{m.Guard, m.Kind, dash(m.Epoch), m.State})
	}
	table(c.stdout, "", rows)
	for _, m := range found.Marks {
		if m.State == markCurrent {
			continue
		}
		c.print("")
		c.print("PROBLEM: %s", wrap(m.Guard+": "+m.Text, width-9, "         "))
		for i, step := range m.Mend {
			c.print("  %d. %s", i+1, step) // not wrapped: to be copied
		}
	}
}

// raise writes an epoch above the marks that are too high.
func (f *guardsFlags) raise(ctx context.Context, c *call, s scope, r lease.Record, found *marks) error {
	highest := int64(0)
	for _, m := range found.Marks {
		if m.State == markTooHigh {
			highest = max(highest, m.epoch)
		}
	}
	switch {
	case highest == 0:
		return errors.New("no mark is too high: there is nothing that raising the Lease's epoch would mend")
	case highest == math.MaxInt64 || !believed(highest+1, r.ResourceVersion()):
		return fmt.Errorf("the mark %d is too high for that: follow the steps above by hand", highest)
	case !f.yes:
		return misused("nothing was written: repeat this with --yes to raise the Lease's epoch from %s to %d",
			found.Epoch, highest+1)
	}
	if err := c.patch(ctx, s, raiseTo(r, highest+1)); err != nil {
		return err
	}
	if !c.json {
		c.print("")
		c.print("Raised the Lease's epoch from %s to %d. The next term's token is above the mark.", found.Epoch,
			highest+1)
	}
	return nil
}
