package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/hotseat-go/hotseat/lease"
)

// handoverFlags are those of the verb handover.
type handoverFlags struct {
	to              string
	answer, timeout time.Duration
}

func handoverVerb() verb {
	return verb{
		name: "handover", args: "LEASE",
		about: "Asks the active to end its work and hand over to another replica.",
		flags: func(set *pflag.FlagSet) func(context.Context, *call) error {
			f := &handoverFlags{}
			set.StringVar(&f.to, "to", "", "Pod that is to be active next (default: the newest that is ready)")
			set.DurationVar(&f.answer, "answer", 10*time.Second,
				"how long to wait for the Pod's answer before its name is taken back")
			set.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long to wait for the active's work to end")
			return f.run
		},
	}
}

func (f *handoverFlags) run(ctx context.Context, c *call) error {
	name, err := c.one()
	if err != nil {
		return err
	}
	if f.answer <= 0 || f.timeout <= 0 {
		return misused("--answer and --timeout must be above 0")
	}
	if err := c.connect(); err != nil {
		return err
	}
	s := scope{c.namespace, name}
	record, err := c.lease(ctx, s)
	if err != nil {
		return err
	}
	if err := mayMove(record); err != nil {
		return err
	}
	to, err := f.successor(ctx, c, record)
	if err != nil {
		return err
	}
	return f.move(ctx, c, s, record, to)
}

// notOurs refuses a holder that has no token of hotseat's.
func notOurs(r lease.Record) error {
	return fmt.Errorf("the holder %s of the Lease %s is not hotseat's, or its token is damaged:"+
		" 'kubectl hotseat status' says more", r.Holder(), r.Scope())
}

// mayMove refuses what cannot work.
func mayMove(r lease.Record) error {
	name := r.Scope()
	_, ours := r.Token()
	to := r.Annotation(lease.AnnotationSuccessor)
	switch {
	case r.Holder() == "":
		return fmt.Errorf("nobody holds the Lease %s: there is no active that could hand over", name)
	case !ours:
		return notOurs(r)
	case podOf(to) != to && to != r.Holder():
		return fmt.Errorf("the active is handing the Lease %s over to %s already", name, podOf(to))
	}
	return nil
}

// successor is whom to name.
func (f *handoverFlags) successor(ctx context.Context, c *call, r lease.Record) (string, error) {
	active := podOf(r.Holder())
	to := trimKind(f.to, "pod")
	if to == active || to == r.Holder() {
		return "", misused("%s is the active already: name another replica", to)
	}
	if to == "" {
		return c.chooseSuccessor(ctx, r)
	}
	pod, err := c.pod(ctx, r.Lease().Namespace, podOf(to))
	switch {
	case apierrors.IsForbidden(err):
		c.print("The Pod %s is not looked at: %v", podOf(to), err)
	case apierrors.IsNotFound(err) && podOf(to) == to: // an identity is of a replica outside of Pods, too
		return "", fmt.Errorf("%w: name a replica outside of Pods by the identity in its log", err)
	case apierrors.IsNotFound(err):
	case err != nil:
		return "", err
	case pod.DeletionTimestamp != nil:
		return "", fmt.Errorf("the Pod %s is being deleted: name another one", to)
	case !ready(pod):
		return "", fmt.Errorf("the Pod %s is not ready: name another one", to)
	}
	// Never an identity: the active would hand over to it whether or not anybody answers.
	return podOf(to), nil
}

// chooseSuccessor is the newest ready Pod beside the active's.
func (c *call) chooseSuccessor(ctx context.Context, r lease.Record) (string, error) {
	active, err := c.pod(ctx, r.Lease().Namespace, podOf(r.Holder()))
	if err != nil {
		return "", fmt.Errorf("no successor can be chosen, so name one with --to: %w", err)
	}
	pods, err := c.replicas(ctx, active)
	if err != nil {
		return "", fmt.Errorf("no successor can be chosen, so name one with --to: %w", err)
	}
	pods = slices.DeleteFunc(pods, func(p corev1.Pod) bool { return p.Name == active.Name || !ready(&p) })
	if len(pods) == 0 {
		return "", fmt.Errorf("no Pod beside the active %s is ready: there is nobody to hand over to", active.Name)
	}
	newest := slices.MaxFunc(pods, func(a, b corev1.Pod) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	return newest.Name, nil
}

// move names the successor, and tells what comes of it.
func (f *handoverFlags) move(ctx context.Context, c *call, s scope, r lease.Record, to string) error {
	path := annotationPath(lease.AnnotationSuccessor)
	moved := &outcome{call: c, term: r, ask: func() error {
		c.print("Naming %s as the successor of %s, epoch %s.", to, podOf(r.Holder()),
			r.Annotation(lease.AnnotationEpoch))
		whole := context.WithoutCancel(ctx) // Ctrl-C must not leave open whether it is written
		return c.patch(whole, s, append(unchanged(r), operation{"add", path, to}))
	}}
	err := moved.await(ctx, s, f.answer, f.timeout)
	switch {
	case err == nil && moved.hasReacted():
		return moved.tell(to)
	case moved.hasReacted() || moved.at.asked.IsZero():
		return err
	}
	withdraw := append(unchanged(r), operation{"test", path, to}, operation{"remove", path, nil})
	switch back := c.patch(context.WithoutCancel(ctx), s, withdraw); { // also after Ctrl-C
	case back == nil && err == nil:
		c.print("No answer within %v: its name is taken back, and nothing has moved. Is %s a replica of this"+
			" Lease, is it running, and may it patch the Lease?", f.answer, to)
		return errProblem
	case back == nil:
		return fmt.Errorf("%w: the name of %s is taken back, and nothing has moved", err, to)
	case !errors.Is(back, errMoved):
		return fmt.Errorf("no answer yet, and the name of %s cannot be taken back: %w", to, errors.Join(err, back))
	case err != nil:
		return err
	}
	if err := moved.await(ctx, s, f.timeout, f.timeout); err != nil { // it answered meanwhile
		return err
	}
	return moved.tell(to)
}
