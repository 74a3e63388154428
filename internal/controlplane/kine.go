//go:build unix

package controlplane

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"

	"github.com/hotseat-go/hotseat/internal/fromsource"
)

// kineModule is what kine is built from. It is built with cgo, as in k3s: its SQLite is the one in C.
func kineModule(source string) fromsource.Module {
	return fromsource.Module{
		Dir: filepath.Join(source, "testdata", "kine"), Main: "github.com/k3s-io/kine",
		Packages: []string{"."}, CGO: true,
		Says: []string{"github.com/k3s-io/kine/pkg/version.Version"},
	}
}

// addKine builds kine if it is not in the cache.
func (b *Binaries) addKine(ctx context.Context, progress io.Writer) error {
	source, err := folder(ctx)
	if err != nil {
		return err
	}
	b.Kine, b.KineVersion, err = build(ctx, kineModule(source), progress)
	return err
}

// storeVersion is what objects are kept in: "etcd v3.7.3", "kine v0.17.5 (sqlite)".
func (c *Cluster) storeVersion() string {
	if database := c.options.Layout.Kine; database != "" {
		scheme, _, _ := strings.Cut(database, "://")
		return "kine " + c.binaries.KineVersion + " (" + scheme + ")"
	}
	return "etcd " + c.binaries.EtcdVersion
}

// kine is one kine. Several share the database. It keeps no old version that it is told to forget,
// of which it would keep the last thousand, so that Compact can have it forget all.
func (c *Cluster) kine(member int) *Process {
	return c.part(named("kine", member), c.binaries.Kine,
		"--endpoint", c.options.Layout.Kine, "--listen-address", "127.0.0.1:"+c.ports.client[member],
		"--metrics-bind-address", "0", "--compact-min-retain", "0",
	)
}

// accepts reports whether connections to an address are accepted: kine has no other sign of life,
// and listens only once its database is there.
func accepts(ctx context.Context, address string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}
