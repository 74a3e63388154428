package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of the guard's database
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/services"
	"github.com/hotseat-go/hotseat/lease"
)

const (
	namespace = "shop"
	service   = "invoicer"
	// operator is the user of the kubeconfig: client-go sends a file's credentials over TLS only.
	operator = "anonymous"
)

// stand is an API server, a database, and the replicas of a service. Close it.
type stand struct {
	server   *apiserver.Cluster
	postgres *services.Server
	db       *sql.DB
	guard    *sqlfence.Guard
	replicas []*replica
	hidden   []*replica // not described
	folder   string
	timing   lease.Timing
}

// start starts everything, with the fault in it. Zero timing means the defaults.
func start(ctx context.Context, f fault, timing lease.Timing) (s *stand, err error) {
	s = &stand{timing: timing, server: apiserver.New(apiserver.Options{})}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.folder, err = os.MkdirTemp("", "service-"); err != nil {
		return s, err
	}
	if s.postgres, err = services.StartPostgres(ctx, "-c", "fsync=off"); err != nil {
		return s, err
	}
	if err := s.prepare(ctx); err != nil {
		return s, err
	}
	if f.before != nil {
		if err := f.before(ctx, s); err != nil {
			return s, fmt.Errorf("set the fault: %w", err)
		}
	}
	for i := range 3 {
		r := newReplica(s, fmt.Sprintf("%s-%d", service, i))
		if f.alter != nil {
			f.alter(r)
		}
		if err := r.start(s); err != nil {
			return s, err
		}
		s.replicas = append(s.replicas, r)
	}
	if f.after == nil {
		return s, nil
	}
	if err := s.working(ctx); err != nil {
		return s, err
	}
	if err := f.after(ctx, s); err != nil {
		return s, fmt.Errorf("set the fault: %w", err)
	}
	return s, nil
}

// prepare makes the kubeconfig, the Lease, the guard and the table.
func (s *stand) prepare(ctx context.Context) error {
	url, err := s.server.Listen()
	if err != nil {
		return err
	}
	if err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"shop": {Server: url}},
		Contexts:       map[string]*clientcmdapi.Context{"shop": {Cluster: "shop", Namespace: namespace}},
		CurrentContext: "shop",
	}, s.kubeconfig()); err != nil {
		return err
	}
	if _, err := s.server.CreateLease(&coordv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: service},
	}); err != nil {
		return err
	}
	if s.db, err = sql.Open("pgx", s.postgres.DSN()); err != nil {
		return err
	}
	if s.guard, err = sqlfence.New(sqlfence.Config{
		DB: s.db, Dialect: sqlfence.PostgreSQL, Scope: fencing.Scope(namespace, service),
	}); err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, s.guard.Schema()+";CREATE TABLE invoices (number bigint, writer text)")
	return err
}

func (s *stand) kubeconfig() string { return filepath.Join(s.folder, "kubeconfig") }

// working waits until a replica has written an invoice.
func (s *stand) working(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		n := 0
		err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM invoices").Scan(&n)
		if err == nil && n > 0 {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(errors.New("no replica works"), err)
		}
	}
}

// active is the replica that is active now.
func (s *stand) active() (*replica, error) {
	for _, r := range s.replicas {
		if r.elector.IsActive() {
			return r, nil
		}
	}
	return nil, errors.New("no replica is active")
}

// describe says where to look, and nothing else.
func (s *stand) describe(w io.Writer) {
	for _, r := range s.replicas {
		fmt.Fprintf(w, "%s  http://%s/status  http://%[2]s/metrics\n", r.name, r.address)
	}
	fmt.Fprintf(w, "kubeconfig  %s\nlogs        %s\nDSN         %s\n", s.kubeconfig(), s.folder, s.postgres.DSN())
}

func (s *stand) close() {
	for _, r := range append(s.replicas, s.hidden...) {
		r.stop()
	}
	s.server.Close()
	if s.db != nil {
		_ = s.db.Close() // the server goes next
	}
	if s.postgres != nil {
		s.postgres.Close()
	}
	if s.folder != "" {
		_ = os.RemoveAll(s.folder) // the temporary folder's own to clean up, if not
	}
}
