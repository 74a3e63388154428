package main

import (
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// access says how a process reaches the API server: the embedded one under a
// name of its own, or a cluster's through a kubeconfig file.
type access struct {
	Server, User string
	Kubeconfig   string
}

func (a access) client() (kubernetes.Interface, error) {
	config := &rest.Config{Host: a.Server, BearerToken: a.User}
	if a.Kubeconfig != "" {
		var err error
		if config, err = clientcmd.BuildConfigFromFlags("", a.Kubeconfig); err != nil {
			return nil, err
		}
	}
	config.QPS = -1    // the elector paces itself
	config.Timeout = 0 // and every request of its brings its own
	return kubernetes.NewForConfig(config)
}

// contextNamespace is where kubectl would look with this file.
func contextNamespace(kubeconfig string) (string, error) {
	namespace, _, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig}, nil).Namespace()
	return namespace, err
}
