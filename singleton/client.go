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

// InCluster returns a client for an elector's use alone: from the Pod's
// service account, or outside a cluster from the file $KUBECONFIG names. It has
// no rate limiter, since the protocol paces its own requests, and no overall
// timeout, since every request brings its own.
func InCluster() (kubernetes.Interface, error) {
	config, err := rest.InClusterConfig()
	if errors.Is(err, rest.ErrNotInCluster) {
		config, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
			&clientcmd.ClientConfigLoadingRules{Precedence: kubeconfigFiles()}, nil).ClientConfig()
	}
	if err != nil {
		return nil, fmt.Errorf("singleton: neither in a cluster nor a usable $%s: %w", clientcmd.RecommendedConfigPathEnvVar, err)
	}
	config.QPS = -1
	config.Timeout = 0
	rest.AddUserAgent(config, "hotseat")
	return kubernetes.NewForConfig(config)
}

// kubeconfigFiles are those $KUBECONFIG lists, and not the user's default one:
// a service should not follow whatever cluster a developer last looked at.
func kubeconfigFiles() []string {
	return filepath.SplitList(os.Getenv(clientcmd.RecommendedConfigPathEnvVar))
}
