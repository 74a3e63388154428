//go:build !oldest

package main

import (
	"context"

	"github.com/spf13/cobra"
	kubectl "k8s.io/kubectl/pkg/cmd"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func addNode(parts map[string]func() *cobra.Command) {
	parts["kubelet"] = func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }
	parts["kube-proxy"] = proxy.NewProxyCommand
	parts["kubectl"] = kubectl.NewDefaultKubectlCommand
}
