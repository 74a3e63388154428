package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const auditLog = `{"kind":"Event","stage":"ResponseStarted","verb":"watch","user":{"username":"system:serviceaccount:shop:b"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:00.000000Z","stageTimestamp":"2026-01-01T00:00:00.010000Z"}
{"kind":"Event","stage":"ResponseComplete","verb":"update","user":{"username":"system:serviceaccount:shop:a"},"responseStatus":{"code":409},"requestReceivedTimestamp":"2026-01-01T00:00:01.000000Z","stageTimestamp":"2026-01-01T00:00:01.005000Z"}
{"kind":"Event","stage":"ResponseComplete","verb":"watch","user":{"username":"system:serviceaccount:shop:b"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:00.000000Z","stageTimestamp":"2026-01-01T00:00:02.000000Z"}
{"kind":"Event","stage":"ResponseComplete","verb":"list","user":{"username":"system:serviceaccount:shop:b"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:03.000000Z","stageTimestamp":"2026-01-01T00:00:03.001000Z"}
{"kind":"Event","stage":"Respon`

func TestReadAudit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	require.NoError(t, os.WriteFile(path, []byte(auditLog), 0o600))
	all, err := readAudit(path)
	require.NoError(t, err)
	require.Len(t, all, 3, "a watch counts once")
	require.Equal(t, load{writes: .5, reads: .5, watches: .5}, all.load(2*time.Second))
	require.Equal(t, "a", all[1].user)
	from := all[0].asked
	require.Len(t, all.within(from, from.Add(3*time.Second)), 2)
}

func TestMetricsSum(t *testing.T) {
	m := metrics(`# TYPE etcd_requests_total counter
etcd_requests_total{group="coordination.k8s.io",operation="update",resource="leases"} 4
etcd_requests_total{group="coordination.k8s.io",operation="get",resource="leases"} 100
etcd_requests_total{group="",operation="update",resource="pods"} 1e+03
etcd_requests_total_other{operation="update",resource="leases"} 7
etcd_requests_total{operation="update",resource="leases",group="other"} 2 1395066363000
up 1
`)
	require.InDelta(t, 6, m.sum("etcd_requests_total", `operation="update"`, `resource="leases"`), 0)
	require.Zero(t, m.sum("etcd_requests_total", `operation="delete"`))
}
