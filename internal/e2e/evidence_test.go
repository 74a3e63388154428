//go:build linux

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/singleton/evidence"
)

// mayRead gives the shipped Role what the guide says that evidence needs, or less.
func mayRead(verbs ...string) func(*rbacv1.Role) {
	return func(role *rbacv1.Role) {
		role.Rules = append(role.Rules, rbacv1.PolicyRule{
			APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: verbs,
		})
	}
}

const evidencePod = "invoicer-0"

// unscheduled makes a Pod that nobody schedules. Its status is the test's.
func (s shop) unscheduled(name string) {
	s.t.Helper()
	_, err := s.Admin().CoreV1().Pods(s.namespace).Create(s.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			SchedulerName: "nobody", ServiceAccountName: "invoicer", AutomountServiceAccountToken: new(bool),
			Containers: []corev1.Container{{Name: "invoicer", Image: "example.com/invoicer:1"}},
		},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
}

// shows writes the status of the Pod's container, as a kubelet does.
func (s shop) shows(name string, status corev1.ContainerStatus) {
	s.t.Helper()
	pods := s.Admin().CoreV1().Pods(s.namespace)
	pod, err := pods.Get(s.t.Context(), name, metav1.GetOptions{})
	require.NoError(s.t, err)
	status.Name, status.Image, status.ImageID = "invoicer", "example.com/invoicer:1", "sha256:0"
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
	_, err = pods.UpdateStatus(s.t.Context(), pod, metav1.UpdateOptions{})
	require.NoError(s.t, err)
}

const lifeID = "containerd://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// runs shows a container that started with this machine's process 1, as this process's own did.
func (s shop) runs(name string) {
	s.t.Helper()
	stat, err := os.ReadFile("/proc/1/stat")
	require.NoError(s.t, err)
	up, err := os.ReadFile("/proc/uptime")
	require.NoError(s.t, err)
	after := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	ticks, err := strconv.ParseFloat(after[19], 64)
	require.NoError(s.t, err)
	uptime, err := strconv.ParseFloat(strings.Fields(string(up))[0], 64)
	require.NoError(s.t, err)
	ago := time.Duration((uptime - ticks/100) * float64(time.Second))
	s.shows(name, corev1.ContainerStatus{ContainerID: lifeID, State: corev1.ContainerState{
		Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(time.Now().Add(time.Second - ago))},
	}})
}

// dies shows that it has ended.
func (s shop) dies(name string) {
	s.t.Helper()
	s.shows(name, corev1.ContainerStatus{ContainerID: lifeID, State: corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{
			ContainerID: lifeID, ExitCode: 137, Reason: "Error",
			StartedAt: metav1.NewTime(time.Now().Add(-time.Hour)), FinishedAt: metav1.Now(),
		},
	}})
}

// evidence is with the shop's ServiceAccount.
func (s shop) evidence(log *lines) *evidence.Pods {
	s.t.Helper()
	pods, err := evidence.NewPods(s.client(), evidence.Config{
		Namespace: s.namespace, Pod: evidencePod, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	require.NoError(s.t, err)
	return pods
}

// awaits has Await run until it returns.
func (s shop) awaits(pods *evidence.Pods, identity string) <-chan error {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	s.t.Cleanup(cancel)
	done := make(chan error, 1)
	go func() { done <- pods.Await(ctx, identity) }()
	return done
}

// TestEvidence has a death proven with the rights that the guide names, get and watch, and slower
// with get alone.
func TestEvidence(t *testing.T) {
	for _, verbs := range [][]string{{"get", "watch"}, {"get"}} {
		t.Run(strings.Join(verbs, " and "), func(t *testing.T) {
			s := openShop(t, sharedCluster(t), mayRead(verbs...))
			s.unscheduled(evidencePod)
			s.runs(evidencePod)
			log := &lines{}
			pods := s.evidence(log)
			identity, err := pods.Identify(t.Context())
			require.NoError(t, err)
			require.Contains(t, identity, lifeID)

			done := s.awaits(pods, identity)
			dead, err := pods.Dead(t.Context(), identity)
			require.NoError(t, err)
			require.False(t, dead)
			s.dies(evidencePod)
			require.NoError(t, <-done)
			dead, err = pods.Dead(t.Context(), identity)
			require.NoError(t, err)
			require.True(t, dead)
			polls := strings.Contains(log.String(), "not allowed to watch Pods")
			require.Equal(t, len(verbs) == 1, polls)

			none := int64(0)
			require.NoError(t, s.Admin().CoreV1().Pods(s.namespace).
				Delete(t.Context(), evidencePod, metav1.DeleteOptions{GracePeriodSeconds: &none}))
			dead, err = pods.Dead(t.Context(), identity)
			require.NoError(t, err)
			require.False(t, dead, "the Pod is gone, and that proves nothing")
		})
	}
}

// TestEvidenceForbidden: with the shipped Role alone each method says what it lacks.
func TestEvidenceForbidden(t *testing.T) {
	s := openShop(t, sharedCluster(t), nil)
	s.unscheduled(evidencePod)
	s.dies(evidencePod)
	pods := s.evidence(&lines{})
	_, err := pods.Identify(t.Context())
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	identity := fmt.Sprintf("pod/1 %s uid invoicer %d %s", evidencePod, time.Now().Unix(), lifeID)
	_, err = pods.Dead(t.Context(), identity)
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	require.ErrorContains(t, err, `cannot get resource "pods"`)
	err = <-s.awaits(pods, identity)
	require.True(t, apierrors.IsForbidden(err), "%v", err)
}
