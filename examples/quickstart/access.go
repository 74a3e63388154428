package main

import (
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/hotseat-go/hotseat/singleton"
)

// access says how a process reaches the API server: the embedded one under a
// name of its own, or a cluster's through a kubeconfig file.
type access struct {
	Server, User string
	Kubeconfig   string
}

func (a access) config() (*rest.Config, error) {
	if a.Kubeconfig != "" {
		return clientcmd.BuildConfigFromFlags("", a.Kubeconfig)
	}
	return &rest.Config{Host: a.Server, BearerToken: a.User}, nil
}

func (a access) client() (*singleton.Client, error) {
	config, err := a.config()
	if err != nil {
		return nil, err
	}
	return singleton.NewClient(config)
}

// contextNamespace is where kubectl would look with this file.
func contextNamespace(kubeconfig string) (string, error) {
	namespace, _, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig}, nil).Namespace()
	return namespace, err
}
