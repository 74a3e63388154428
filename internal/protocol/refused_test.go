package protocol_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

func TestForbiddenNamesTheVerb(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		for verb, request := range map[string]func() error{
			"list":   func() error { _, err := b.a.List(b.Context()); return err },
			"watch":  func() error { return b.a.Watch(b.Context(), b.list(b.b), nil) },
			"patch":  func() error { _, err := b.a.Renew(b.Context(), claim); return err },
			"create": func() error { return b.a.Create(b.Context()) },
		} {
			b.c.Forbid("a", verb, "update")
			err := request()
			require.ErrorIs(b, err, lease.ErrForbidden)
			require.ErrorContains(b, err, verb+" lease: forbidden")
			b.c.Allow("a", verb, "update")
		}
	})
}

func TestOtherRefusals(t *testing.T) {
	inBed(t, apiserver.Options{Namespaces: []string{"elsewhere"}}, func(b *bed) {
		require.ErrorIs(b, b.a.Create(b.Context()), lease.ErrNoNamespace)
	})
	inBed(t, apiserver.Options{}, func(b *bed) {
		bad := protocol.NewLock(b.c.Client("a").Leases(ns), protocol.Options{
			Namespace: ns, Name: "No_Name", Identity: "a", Timing: lease.Timing{}.WithDefaults(),
		})
		require.ErrorIs(b, bad.Create(b.Context()), lease.ErrRejected)
	})
}

// unaware is a client of a server that does not know dry runs.
type unaware struct{ lease.Client }

func (u unaware) Update(
	ctx context.Context, l *coordv1.Lease, _ metav1.UpdateOptions,
) (*coordv1.Lease, error) {
	return u.Client.Update(ctx, l, metav1.UpdateOptions{})
}

func (u unaware) Patch(
	ctx context.Context, name string, kind types.PatchType, data []byte, _ metav1.PatchOptions, _ ...string,
) (*coordv1.Lease, error) {
	return u.Client.Patch(ctx, name, kind, data, metav1.PatchOptions{})
}

// A rehearsal tells of missing rights and changes nothing, whatever the server makes of dry runs.
func TestRehearse(t *testing.T) {
	for _, missing := range []bool{false, true} {
		inBed(t, apiserver.Options{}, func(b *bed) {
			if !missing {
				b.ship()
				b.acquire(b.b)
			}
			before := b.c.Lease(ns, name)
			for _, client := range []lease.Client{
				b.c.Client("a").Leases(ns), unaware{b.c.Client("a").Leases(ns)},
			} {
				l := protocol.NewLock(client, b.options("a"))
				require.NoError(b, l.Rehearse(b.Context()))
				require.NoError(b, l.PatchRefused())
				b.c.Forbid("a", "patch")
				require.NoError(b, l.Rehearse(b.Context()))
				require.ErrorIs(b, l.PatchRefused(), lease.ErrForbidden)
				b.c.Forbid("a", "update")
				require.ErrorContains(b, l.Rehearse(b.Context()), "patch lease: forbidden")
				b.c.Allow("a", "update", "patch")
				remove := b.c.Link("a").Inject(apiserver.Fault{Status: 503})
				require.ErrorIs(b, l.Rehearse(b.Context()), lease.ErrUnavailable)
				remove()
			}
			require.Equal(b, before, b.c.Lease(ns, name))
		})
	}
}
