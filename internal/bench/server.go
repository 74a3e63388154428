package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/controlplane"
	"github.com/hotseat-go/hotseat/internal/samples"
	"github.com/hotseat-go/hotseat/internal/scenario"
)

// server is a real API server with its etcd: TLS, RBAC, syncing to disk.
type server struct {
	*controlplane.Cluster
	config *rest.Config
	audit  string // path of its log
}

// buildTime bounds a first build on a slow machine.
const buildTime = 60 * time.Minute

// samples are of what was measured on the server.
func (s *server) samples(what string) samples.Set {
	return samples.New("make bench", what,
		fmt.Sprintf("Kubernetes %s, client-go %s", s.Version, moduleVersion("k8s.io/client-go")))
}

// startServer starts one that ends with the test.
func startServer(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{audit: filepath.Join(dir, "audit.log")}
	policy := filepath.Join(dir, "audit.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), buildTime)
	defer cancel()
	var err error
	s.Cluster, err = controlplane.Start(ctx, controlplane.Options{
		Progress: os.Stderr,
		// In megabytes: a log that is begun anew would hide what was asked before.
		APIServer: []string{"--audit-policy-file", policy, "--audit-log-path", s.audit, "--audit-log-maxsize", "100000"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.Logs())
		}
		s.Close()
	})
	if err := s.Namespace(ctx, scenario.Namespace); err != nil {
		t.Fatal(err)
	}
	s.config = s.serviceAccount(t, "replica")
	return s
}

// serviceAccount is the configuration of a client that may do what either
// elector needs.
func (s *server) serviceAccount(t *testing.T, name string) *rest.Config {
	t.Helper()
	config, err := s.Account(t.Context(), scenario.Namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	roles := s.Admin().RbacV1()
	meta := metav1.ObjectMeta{Namespace: scenario.Namespace, Name: name}
	if _, err := roles.Roles(meta.Namespace).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "list", "watch", "create", "patch", "update"},
	}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := roles.RoleBindings(meta.Namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.awaitAccess(t, config)
	return config
}

func (s *server) account(string) *rest.Config { return s.config }

func (s *server) createLease(t testing.TB, name string) {
	t.Helper()
	leases := s.Admin().CoordinationV1().Leases(scenario.Namespace)
	if _, err := leases.Create(t.Context(), unheldLease(name), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// requests are all that were logged.
func (s *server) requests(t *testing.T) requests {
	t.Helper()
	all, err := readAudit(s.audit)
	if err != nil {
		t.Fatal(fmt.Errorf("audit log: %w", err))
	}
	return all
}

// awaitAccess returns once the server knows of the account's role.
func (s *server) awaitAccess(t *testing.T, config *rest.Config) {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		_, err := client.CoordinationV1().Leases(scenario.Namespace).List(ctx, metav1.ListOptions{})
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
