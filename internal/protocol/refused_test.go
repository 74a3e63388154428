package protocol_test

import (
	"testing"

	"github.com/stretchr/testify/require"

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
