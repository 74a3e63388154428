package singleton

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const envKubeconfig = clientcmd.RecommendedConfigPathEnvVar

// InCluster returns a client for an elector's use alone: from the Pod's
// service account, or outside a cluster from the files $KUBECONFIG lists. It has
// no rate limiter, since the protocol paces its own requests, and no overall
// timeout, since every request brings its own. HTTP/2 pings find a dead connection
// within about 5 s, and the client opens another. A slow server keeps its connection.
// When the server refuses the token, the client reads the token file again.
// The error says what is missing.
func InCluster() (kubernetes.Interface, error) {
	config, err := rest.InClusterConfig()
	switch {
	case errors.Is(err, rest.ErrNotInCluster):
		config, err = fromKubeconfig()
	case err != nil:
		err = fmt.Errorf("in a cluster, but without a usable service account (automountServiceAccountToken?): %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("singleton: %w", err)
	}
	return kubernetes.NewForConfig(hardened(config))
}

// fromKubeconfig reads the files $KUBECONFIG lists, and not the user's default
// one: a service should not follow whatever cluster a developer last looked at.
func fromKubeconfig() (*rest.Config, error) {
	files := filepath.SplitList(os.Getenv(envKubeconfig))
	if len(files) == 0 {
		return nil, fmt.Errorf("not in a cluster ($KUBERNETES_SERVICE_HOST is not set), and $%s is not set: ~/.kube/config is read only if $%s names it", envKubeconfig, envKubeconfig)
	}
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("$%s: %w", envKubeconfig, err)
		}
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{Precedence: files}, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("$%s: %w", envKubeconfig, err)
	}
	return config, nil
}
