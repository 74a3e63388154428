package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/hotseat-go/hotseat/lease"
)

// fenceFlags are those of the verb fence.
type fenceFlags struct {
	yes     bool
	timeout time.Duration
}

func fenceVerb() verb {
	return verb{
		name: "fence", args: "LEASE",
		about: "Ends the active's term by a greater epoch: guards refuse its writes from the next term on.",
		flags: func(set *pflag.FlagSet) func(context.Context, *call) error {
			f := &fenceFlags{}
			set.BoolVar(&f.yes, "yes", false, "do it; without it, only what would be done is shown")
			set.DurationVar(&f.timeout, "timeout", time.Minute, "how long to wait for the next term")
			return f.run
		},
	}
}

func (f *fenceFlags) run(ctx context.Context, c *call) error {
	name, err := c.one()
	if err != nil {
		return err
	}
	if f.timeout <= 0 {
		return misused("--timeout is %v, must be above 0", f.timeout)
	}
	if err := c.connect(); err != nil {
		return err
	}
	s := scope{c.namespace, name}
	record, err := c.lease(ctx, s)
	if err != nil {
		return err
	}
	if record.Holder() == "" {
		return fmt.Errorf("nobody holds the Lease %s: there is nobody to fence off", record.Scope())
	}
	token, ours := record.Token()
	if !ours {
		return notOurs(record)
	}
	if token.Epoch == math.MaxInt64 || !believed(token.Epoch+1, record.ResourceVersion()) {
		return fmt.Errorf("the epoch %d of the Lease %s is so great that electors refuse a greater one:"+
			" lower it first", token.Epoch, record.Scope())
	}
	c.print("%s", wrap(fmt.Sprintf("This raises the epoch of %s from %d to %d. Then %s stops its work and lets"+
		" another replica acquire the Lease first. If it is out of reach, another one takes over %v after its"+
		" last renewal.", record.Scope(), token.Epoch, token.Epoch+1, podOf(record.Holder()), record.Duration()),
		width, ""))
	if !f.yes {
		return misused("nothing was written: repeat this with --yes")
	}
	return f.fence(ctx, c, s, record)
}

func (f *fenceFlags) fence(ctx context.Context, c *call, s scope, r lease.Record) error {
	token, _ := r.Token()
	ended := &outcome{call: c, term: r, ask: func() error {
		return c.patch(ctx, s, raiseTo(r, token.Epoch+1))
	}}
	if err := ended.await(ctx, s, f.timeout, f.timeout); err != nil {
		return err
	}
	return ended.tell("")
}

// raiseTo writes an epoch to the Lease if its epoch and its term are still those of r.
func raiseTo(r lease.Record, epoch int64) []operation {
	path, text := annotationPath(lease.AnnotationEpoch), strconv.FormatInt(epoch, 10)
	writes := unchanged(r)
	if before := r.Annotation(lease.AnnotationEpoch); before != "" {
		writes = append(writes, operation{"test", path, before})
	}
	if r.Lease().Annotations == nil {
		return append(writes, operation{
			"add", "/metadata/annotations", map[string]string{lease.AnnotationEpoch: text},
		})
	}
	return append(writes, operation{"add", path, text})
}
