//go:build !oldest

package main

import (
	"context"

	"github.com/spf13/cobra"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func addNode(parts map[string]func() *cobra.Command) {
	parts["kubelet"] = func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }
	parts["kubectl"] = kubectl.NewDefaultKubectlCommand
}
