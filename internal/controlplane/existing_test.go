//go:build unix

package controlplane

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// TestExisting: the certificate is in a file beside the kubeconfig, as minikube
// has it, and the list names another file first, as $KUBECONFIG may.
func TestExisting(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"major": "1", "minor": "37", "gitVersion": "v1.37.9"}`)
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	write("ca.crt", string(ca))
	first := write("context", `{"apiVersion": "v1", "kind": "Config", "current-context": "x"}`)
	second := write("kubeconfig", `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "`+server.URL+`", certificate-authority: ca.crt}}]
users: [{name: u, user: {token: secret}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
`)
	c, err := Existing(first + string(filepath.ListSeparator) + second)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	require.False(t, c.Ours())
	require.Equal(t, "v1.37.9", c.Version)
	require.Equal(t, strings.TrimPrefix(server.URL, "https://"), c.Address())
	require.Equal(t, string(ca), string(c.AdminConfig().CAData), "a replica's process is told this")

	_, err = Existing(filepath.Join(dir, "none"))
	require.Error(t, err)
}

func TestAddress(t *testing.T) {
	for host, want := range map[string]string{
		"https://127.0.0.1:6443": "127.0.0.1:6443",
		"https://api.example/":   "api.example:443",
		"https://[::1]":          "[::1]:443",
	} {
		c := Cluster{config: &rest.Config{Host: host}}
		require.Equal(t, want, c.Address(), host)
	}
}
