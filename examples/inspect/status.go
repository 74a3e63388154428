package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/hotseat-go/hotseat/lease"
)

// statusFlags are those of the verb status.
type statusFlags struct {
	all   bool
	ask   bool
	look  time.Duration
	pages pageFlags
}

func statusVerb() verb {
	return verb{
		name: "status", args: "[LEASE]", json: true,
		about: "Shows who holds which Lease, for how long, and what is wrong.",
		flags: func(set *pflag.FlagSet) func(context.Context, *call) error {
			f := &statusFlags{}
			set.BoolVarP(&f.all, "all-namespaces", "A", false, "the Leases of all namespaces")
			set.DurationVar(&f.look, "look", 5*time.Second,
				"how long to watch for a renewal; 0 only reads the Leases once")
			set.BoolVar(&f.ask, "ask", true, "ask the replicas of the one Lease that is named")
			f.pages.add(set)
			return f.run
		},
	}
}

// report is what status found. Its JSON is documented in README.md.
type report struct {
	ReadAt     time.Time `json:"readAt"` // by this machine's clock
	LookedFor  float64   `json:"lookedForSeconds"`
	ClockAhead float64   `json:"clockAheadSeconds"` // this machine's clock before the API server's
	Leases     []entry   `json:"leases"`
	Replicas   []replica `json:"replicas"`    // of the one Lease that was named
	Others     int       `json:"otherLeases"` // Leases that hotseat has never written
	Problems   []string  `json:"problems"`    // that are no Lease's own
	Notes      []string  `json:"notes"`
}

func (f *statusFlags) run(ctx context.Context, c *call) error {
	if err := c.atMostOne(); err != nil {
		return err
	}
	if f.look < 0 {
		return misused("--look is %v, must not be negative", f.look)
	}
	if len(f.pages.urls) > 0 && len(c.args) == 0 {
		return misused("with --url, name the Lease")
	}
	if err := f.pages.check(); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	s := c.scope(f.all)
	found, err := f.find(ctx, c, s)
	if err != nil {
		return err
	}
	if s.name != "" && len(found.Leases) == 0 {
		if !f.ask || !f.pages.known() || s.namespace == "" {
			err = c.failed(ctx, s.of("list"), apierrors.NewNotFound(coordv1.Resource("leases"), s.name))
			return fmt.Errorf("%w; to ask its replicas why, add --selector or --url", err)
		}
		found.Leases = append(found.Leases, absent(s))
	}
	c.inspectPods(ctx, found)
	asked := f.ask && s.name != "" && len(found.Leases) == 1
	if asked {
		f.pages.inspectReplicas(ctx, c, found)
	}
	if c.json {
		err = c.printJSON(found)
	} else {
		c.printReport(found, s)
	}
	switch {
	case err != nil:
		return err
	case found.bad():
		return errProblem
	case len(found.Leases) == 0:
		return errors.New("there is no Lease of hotseat: if a service should run here, name its Lease," +
			" and its Pods with --selector")
	case asked && len(found.Replicas) == 0:
		return errors.New("no replica could be asked: see the notes; --ask=false looks at the Lease alone")
	}
	return nil
}

func (r *report) bad() bool {
	return len(r.Problems) > 0 ||
		slices.ContainsFunc(r.Leases, func(e entry) bool { return len(e.Problems) > 0 })
}

// absent is said of a Lease that was named and is not there.
func absent(s scope) entry {
	e := entry{
		Namespace: s.namespace, Name: s.name, State: stateMissing, findings: nothingFound(),
	}
	e.problem("there is no such Lease: nobody becomes active until a replica that may create it does so," +
		" or somebody applies it")
	return e
}

// find looks at the Leases for a while, and judges them.
func (f *statusFlags) find(ctx context.Context, c *call, s scope) (*report, error) {
	begin := c.now()
	look := &look{cluster: c.cluster, once: f.look == 0, sights: map[scope]*sight{}}
	watching, cancel := context.WithTimeout(ctx, f.look+2*c.reach.timeout)
	defer cancel()
	look.started = func() { // the watch opens about as fast as the List was answered
		time.AfterFunc(f.look+time.Duration(c.slowest.Load()), cancel)
	}
	notes := []string{}
	err := c.follow(watching, s, look)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && look.began && apierrors.IsForbidden(err):
		notes = append(notes, "renewals could not be watched: "+err.Error())
	case err != nil:
		return nil, err
	}
	r := &report{
		ReadAt: c.now().UTC(), LookedFor: c.now().Sub(begin).Seconds(), Leases: []entry{}, Replicas: []replica{},
		Problems: []string{}, Notes: notes,
	}
	for _, seen := range look.sights {
		if s.name == "" && !ours(seen.record.Lease()) {
			r.Others++
			continue
		}
		r.Leases = append(r.Leases, judge(*seen, c.serverTime()))
	}
	slices.SortFunc(r.Leases, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	if ahead := -time.Duration(c.ahead.Load()); ahead.Abs() > farOff {
		r.ClockAhead = ahead.Seconds()
		r.Notes = append(r.Notes, "this machine's clock is "+apart(ahead)+" the API server's")
	}
	if fastest := time.Duration(c.fastest.Load()); fastest > slow {
		r.Problems = append(r.Problems, "the API server is slow: each answer took "+short(fastest)+" or longer;"+
			" a term ends if renewals are not answered within RenewDeadline")
	}
	return r, nil
}

// slow is from when answers of the API server are worth a word: a Lease is tiny.
const slow = time.Second

// look collects sights until each holder was seen to renew.
type look struct {
	cluster *cluster
	once    bool
	began   bool
	started func() // called after the first List
	sights  map[scope]*sight
}

func (k *look) listed(items []coordv1.Lease) bool {
	if !k.began {
		k.began = true
		k.started()
	}
	for i := range items {
		k.changed(&items[i], false)
	}
	return !k.once && !k.complete()
}

func (k *look) failed(error) bool { return true }

func (k *look) changed(l *coordv1.Lease, deleted bool) bool {
	key := scope{l.Namespace, l.Name}
	now := lease.NewRecord(l)
	seen := k.sights[key]
	if seen == nil {
		k.sights[key] = &sight{record: now}
		return true
	}
	before := seen.record
	seen.record, seen.missing = now, deleted
	switch {
	case deleted:
		seen.deleted++
	case now.Holder() == "":
	case now.Holder() != before.Holder() || now.Term() != before.Term():
		seen.terms++
	case !now.RenewTime().Equal(before.RenewTime()):
		seen.renewals++
		seen.ahead = now.RenewTime().Sub(k.cluster.serverTime())
		seen.blur = 2 * time.Duration(k.cluster.slowest.Load()) // the write's way, and the answer's with the date
	}
	return !k.complete()
}

// complete reports whether more looking would tell nothing new.
func (k *look) complete() bool {
	for _, seen := range k.sights {
		if ours(seen.record.Lease()) && (seen.missing || seen.renewals == 0) {
			return false
		}
	}
	return true
}
