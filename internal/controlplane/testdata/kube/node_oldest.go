//go:build oldest

package main

import "github.com/spf13/cobra"

// addNode adds nothing: nodes run the newest minor only, and a build without a kubelet is shorter.
func addNode(map[string]func() *cobra.Command) {}
