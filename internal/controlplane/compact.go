//go:build unix

package controlplane

import (
	"context"
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Compact makes the server forget all versions before now: etcd by compaction,
// the API server, which keeps a window of its own, by a restart.
func (c *Cluster) Compact(ctx context.Context) error {
	list, err := c.admin.CoordinationV1().Leases("default").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	revision, err := strconv.ParseInt(list.ResourceVersion, 10, 64)
	if err != nil {
		return fmt.Errorf("controlplane: resourceVersion: %w", err)
	}
	if _, err := c.tool(ctx, "etcdctl", "--endpoints", c.etcdURL(0), "compact", strconv.FormatInt(revision, 10)); err != nil {
		return err
	}
	c.API.Kill()
	return c.StartAPI(ctx)
}
