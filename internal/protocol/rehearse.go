package protocol

import (
	"context"
	"errors"

	"github.com/hotseat-go/hotseat/lease"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// noUID is the UID of no Lease. A write that tests for it cannot succeed, even on a server that
// does not know dry runs.
const noUID = "00000000-0000-0000-0000-000000000000"

// Rehearse asks whether this candidate may write the Lease. It sends a write that cannot succeed,
// as a dry run: a patch, and an update if the verb patch is refused. It returns nil if one of them
// is allowed, whether or not the Lease exists. The error is a [*lease.RequestError]: ErrForbidden
// or ErrNoNamespace as a refusal, and any other kind if there was no answer that tells.
func (l *Lock) Rehearse(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.Timing.RenewDeadline)
	defer cancel()
	dry := []string{metav1.DryRunAll}
	refused := l.rehearse(ctx, "patch", func(ctx context.Context) (*coordv1.Lease, error) {
		test := `[{"op":"test","path":"/metadata/uid","value":"` + noUID + `"}]`
		return l.client.Patch(ctx, l.Name, types.JSONPatchType, []byte(test),
			metav1.PatchOptions{DryRun: dry})
	})
	if refused == nil || !errors.Is(refused, lease.ErrForbidden) && !unsupported(refused) {
		return refused
	}
	err := l.rehearse(ctx, "update", func(ctx context.Context) (*coordv1.Lease, error) {
		none := &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{
			Namespace: l.Namespace, Name: l.Name, UID: noUID,
		}}
		return l.client.Update(ctx, none, metav1.UpdateOptions{DryRun: dry})
	})
	switch {
	case err == nil:
		l.refused.Store(&refusal{l.Clock.Now(), refused})
		return nil
	case errors.Is(err, lease.ErrForbidden):
		return refused // it is patch that should be allowed
	}
	return err
}

// rehearse returns nil if the server judged the write itself, so that the right to make it is
// there.
func (l *Lock) rehearse(
	ctx context.Context, verb string, write func(context.Context) (*coordv1.Lease, error),
) error {
	_, err := ask(ctx, &l.underway, 0, write)
	if err == nil {
		return nil
	}
	err = requestError(verb, err)
	if errors.Is(err, lease.ErrConflict) || errors.Is(err, lease.ErrRejected) && !unsupported(err) {
		return nil
	}
	return err
}
