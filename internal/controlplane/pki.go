//go:build unix

package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// adminToken is secret enough on loopback, for the life of a test.
const adminToken = "admin"

func nodeToken(node string) string { return "node:" + node }

// NodeConfig is the configuration of a node's kubelet, one of [Options].Nodes.
func (c *Cluster) NodeConfig(node string) *rest.Config {
	config := rest.AnonymousClientConfig(c.config)
	config.BearerToken = nodeToken(node)
	return config
}

// proxyToken and proxyUser are those of every node's kube-proxy: Kubernetes has a ClusterRoleBinding
// for the user.
const proxyToken, proxyUser = "kube-proxy", "system:kube-proxy"

// ProxyConfig is the configuration of kube-proxy, on any of [Options].Nodes.
func (c *Cluster) ProxyConfig() *rest.Config {
	config := rest.AnonymousClientConfig(c.config)
	config.BearerToken = proxyToken
	return config
}

// pki is the files that identify the server and its clients.
type pki struct {
	dir               string
	ca                []byte // PEM
	caFile, cert, key string
	tokens, audit     string
}

func newPKI(dir string, o Options) (*pki, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "controlplane"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(7 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	if o.Network != nil {
		for _, address := range append(slices.Clone(o.Network.Services), o.Network.Address) {
			template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
		}
		template.DNSNames = append(template.DNSNames, "kubernetes.default.svc")
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	p := &pki{dir: dir, ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})}
	write := func(path *string, name string, data []byte) {
		*path = filepath.Join(dir, name)
		err = errors.Join(err, os.WriteFile(*path, data, 0o600))
	}
	write(&p.caFile, "ca.crt", p.ca)
	write(&p.cert, "server.crt", p.ca)
	write(&p.key, "server.key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}))
	tokens := []byte(adminToken + `,admin,admin,"system:masters"` + "\n")
	if len(o.Nodes) > 0 {
		tokens = fmt.Appendf(tokens, "%s,%s,%[2]s\n", proxyToken, proxyUser)
	}
	for _, node := range o.Nodes {
		tokens = fmt.Appendf(tokens, "%s,system:node:%s,%[2]s,system:nodes\n", nodeToken(node), node)
	}
	write(&p.tokens, "tokens.csv", tokens)
	write(&p.audit, "audit.yaml", []byte(auditPolicy))
	return p, err
}

// auditPolicy logs each request once, when it is over, and a watch also when it
// begins.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// Kubeconfig writes the file that makes a process a client with that
// configuration, and returns its path.
func (c *Cluster) Kubeconfig(name string, config *rest.Config) (string, error) {
	path := filepath.Join(c.dir, name+".kubeconfig")
	return path, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: config.Host, CertificateAuthorityData: config.CAData, TLSServerName: config.ServerName}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {Token: config.BearerToken}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "x",
	}, path)
}
