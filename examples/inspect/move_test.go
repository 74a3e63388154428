package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/hotseat-go/hotseat/lease"
)

func TestHandoverToTheReplicaNamed(t *testing.T) {
	b := newBed(t)
	b.active(50 * time.Millisecond)
	b.start("b", 0)
	c := b.start("c", 0)
	waitForCandidates(t, b, "b", "c")
	text := b.exits(exitFine, "handover", "lease/invoicer", "--to", c.elector.Identity())
	require.True(t, c.elector.IsActive() || podOf(b.record().Holder()) == "c")
	require.Regexp(t, `(?s)Naming c as the successor of a, epoch \d+\..*c has answered: .*a has ended its work.*`+
		`c is active, epoch \d+\.\nNobody held the Lease for \d+ ms`, text)
	require.Contains(t, b.exits(exitError, "handover", "invoicer", "--to", "c"), "c is the active already")
}

// waitForCandidates waits until replicas watch the Lease.
func waitForCandidates(t *testing.T, b *bed, names ...string) {
	for _, name := range names {
		require.Eventually(t, func() bool { return b.server.CountRequests(name, "watch") > 0 }, 30*time.Second,
			10*time.Millisecond)
	}
}

// Without a name, the newest ready Pod is asked.
func TestHandoverChooses(t *testing.T) {
	b := newBed(t)
	b.active(0)
	b.start("b", 0)
	waitForCandidates(t, b, "b")
	require.Contains(t, b.exits(exitError, "handover", "invoicer"), "no successor can be chosen, so name one with --to: there is no Pod a")
	b.pod("a", true)
	require.Contains(t, b.exits(exitError, "handover", "invoicer"), "no Pod beside the active a is ready")
	b.pod("b", true)
	b.pod("c", false)
	b.pod("d", true, func(p *corev1.Pod) { p.Labels = map[string]string{"app": "another"} })
	require.Contains(t, b.exits(exitFine, "handover", "invoicer"), "Naming b as the successor of a")
	require.Equal(t, "b", podOf(b.record().Holder()))
	require.Contains(t, b.exits(exitError, "handover", "invoicer", "--to", "c"), "the Pod c is not ready")
	require.Contains(t, b.exits(exitError, "handover", "invoicer", "--to", "e"), "there is no Pod e in namespace shop")
}

// A name that nobody answers to is taken back.
func TestHandoverToNobody(t *testing.T) {
	b := newBed(t)
	b.active(0)
	b.pod("b", true)
	before := b.record()
	text := b.exits(exitProblem, "handover", "invoicer", "--to", "b", "--answer", "1s")
	require.Contains(t, text, "No answer within 1s: its name is taken back")
	require.Equal(t, before.Term(), b.record().Term())
	require.NotContains(t, b.record().Lease().Annotations, lease.AnnotationSuccessor)
}

func TestHandoverOfWorkThatDrains(t *testing.T) {
	b := newBed(t)
	b.active(5 * time.Second)
	b.start("b", 0)
	waitForCandidates(t, b, "b")
	b.pod("b", true)
	text := b.exits(exitProblem, "handover", "invoicer", "--to", "b", "--timeout", "1s")
	require.Contains(t, text, "The work of a has not ended within 1s.")
	_, e := b.status(exitFine, "--look", "3s", alone)
	require.Equal(t, stateHandover, e.State)
	require.Contains(t, b.exits(exitError, "handover", "invoicer", "--to", "b"), "is handing the Lease shop/invoicer over to b already")
}

func TestHandoverWithoutTheRight(t *testing.T) {
	b := newBed(t)
	b.active(0)
	b.pod("b", true)
	b.server.Forbid(anonymous, "patch")
	require.Contains(t, b.exits(exitError, "handover", "invoicer", "--to", "b"), "not allowed to patch leases in namespace shop: grant")
	require.Contains(t, b.exits(exitError, "fence", "invoicer", "--yes"), "not allowed to patch leases in namespace shop: grant")
}

func TestFence(t *testing.T) {
	b := newBed(t)
	b.active(0)
	b.start("b", 0)
	waitForCandidates(t, b, "b")
	before := b.record()
	epoch, err := before.Epoch()
	require.NoError(t, err)
	require.Contains(t, b.exits(exitError, "fence", "invoicer"), "repeat this with --yes")
	require.Equal(t, before.Annotation(lease.AnnotationEpoch), b.record().Annotation(lease.AnnotationEpoch))

	text := b.exits(exitFine, "fence", "invoicer", "--yes")
	require.Regexp(t, `(?s)raises the epoch of shop/invoicer .*a has ended its work.*b is active, epoch \d+`, text)
	after, err := b.record().Epoch()
	require.NoError(t, err)
	require.Greater(t, after, epoch+1)
	require.Equal(t, "b", podOf(b.record().Holder()))
}

// Ctrl-C before an answer takes the name back.
func TestHandoverIsInterrupted(t *testing.T) {
	b := newBed(t)
	b.active(0)
	b.pod("b", true)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		b.server.WaitLease("shop", "invoicer", 30*time.Second, func(l *coordv1.Lease) bool {
			return l.Annotations[lease.AnnotationSuccessor] == "b"
		})
	}()
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitError, b.runTo(ctx, &stdout, &stderr, "handover", "invoicer", "--to", "b"))
	require.Contains(t, stderr.String(), "the name of b is taken back, and nothing has moved")
	require.NotContains(t, b.record().Lease().Annotations, lease.AnnotationSuccessor)
}
