package main

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/lease"
)

// alone has status look at the Lease, and ask no replica.
const alone = "--ask=false"

func TestStatusOfAHeldLease(t *testing.T) {
	b := newBed(t)
	b.active(0)
	found, e := b.status(exitFine, alone)
	require.Equal(t, stateHeld, e.State)
	require.Equal(t, "a", e.Holder.Pod)
	token, _ := b.record().Token()
	require.Equal(t, token.String(), e.Holder.Token)
	require.Equal(t, strconv.FormatInt(token.Epoch, 10), e.Holder.Epoch)
	require.Positive(t, e.Renewal.Seen)
	require.InDelta(t, 6, e.Renewal.Duration, 0)
	require.Empty(t, e.Problems)
	require.Zero(t, found.ClockAhead)
	text := b.exits(exitFine, "status")
	require.Contains(t, text, "No problem on the Leases. To ask the replicas, name a Lease.")
	require.Regexp(t, `invoicer +held +a +\d+ +\S+ +seen +\d`, text)
}

// Each state and each problem, on a Lease that somebody made.
func TestStatusJudges(t *testing.T) {
	const term = "9f86d081884c7d659a2feaa0c55ad015"
	const identity = "a_31d523f85aa30e15"
	held := func(l *coordv1.Lease) {
		now := metav1.NowMicro()
		l.Spec = coordv1.LeaseSpec{
			HolderIdentity: new(identity), LeaseDurationSeconds: new(int32(15)), AcquireTime: &now,
			RenewTime: &now, LeaseTransitions: new(int32(3)),
		}
		l.Annotations = map[string]string{
			lease.AnnotationEpoch: "42", lease.AnnotationTerm: term, lease.AnnotationHolder: identity,
		}
	}
	for name, tt := range map[string]struct {
		edit    func(*coordv1.Lease)
		state   string
		problem string // part of it; empty for none
		note    string
	}{
		"held": {edit: func(l *coordv1.Lease) {}, state: stateHeld},
		"shipped": {edit: func(l *coordv1.Lease) {
			l.Spec, l.Annotations = coordv1.LeaseSpec{}, nil
		}, state: stateNeverHeld, problem: "nobody has held the Lease"},
		"released": {edit: func(l *coordv1.Lease) {
			l.Spec.HolderIdentity = new("")
			l.Annotations[lease.AnnotationReleased] = l.Spec.RenewTime.UTC().Format(metav1.RFC3339Micro) + " after 7"
		}, state: stateReleased, problem: "nobody is active"},
		"cleared": {edit: func(l *coordv1.Lease) {
			l.Spec.HolderIdentity = nil
		}, state: stateCleared, problem: "did not release it"},
		"another elector": {edit: func(l *coordv1.Lease) {
			l.Spec.HolderIdentity = new("other")
		}, state: stateForeign, problem: "two applications must not share one Lease"},
		"token removed": {edit: func(l *coordv1.Lease) {
			delete(l.Annotations, lease.AnnotationEpoch)
		}, state: stateHeld, problem: "is damaged or was removed"},
		"not renewed": {edit: func(l *coordv1.Lease) {
			l.Spec.RenewTime = new(metav1.NewMicroTime(time.Now().Add(-time.Minute)))
		}, state: stateNotRenewed, problem: "no standby takes over"},
		"named": {edit: func(l *coordv1.Lease) {
			l.Annotations[lease.AnnotationSuccessor] = "b"
		}, state: stateHeld, note: "has not answered"},
		"answered": {edit: func(l *coordv1.Lease) {
			l.Annotations[lease.AnnotationSuccessor] = "b_31d523f85aa30e16"
		}, state: stateHandover, note: "b has answered"},
		"epoch of a person": {edit: func(l *coordv1.Lease) {
			l.Annotations[lease.AnnotationEpoch] = strconv.FormatInt(math.MaxInt64/2, 10)
		}, state: stateHeld, problem: "was written by a person"},
		"no epoch": {edit: func(l *coordv1.Lease) {
			l.Annotations[lease.AnnotationEpoch] = "-1"
		}, state: stateHeld, problem: `the epoch "-1" is not a number`},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.create("invoicer", nil)
			b.edit(held)
			b.edit(tt.edit)
			code := exitFine
			if tt.problem != "" {
				code = exitProblem
			}
			_, e := b.status(code, "--look", "0", alone)
			require.Equal(t, tt.state, e.State)
			if tt.problem != "" {
				require.True(t, contains(e.Problems, tt.problem), e.Problems)
			}
			if tt.note != "" {
				require.Contains(t, e.Notes[0], tt.note)
			}
		})
	}
}

// The limit of what electors believe is that of internal/protocol.
func TestBelieved(t *testing.T) {
	require.True(t, believed(1<<53+100, "100"))
	require.False(t, believed(1<<53+101, "100"))
	require.False(t, believed(math.MaxInt64/2, strconv.FormatInt(math.MaxInt64/2, 10)))
}

// What a holder's clock shows is compared when a renewal arrives.
func TestClocks(t *testing.T) {
	at := made(t, "a", "t", "5", "").RenewTime()
	for name, tt := range map[string]struct {
		server time.Time
		want   string // empty: no warning
	}{
		"right":  {at.Add(300 * time.Millisecond), ""},
		"ahead":  {at.Add(-time.Hour), "the holder's clock is 1h0m ahead of the API server's"},
		"behind": {at.Add(time.Minute), "the holder's clock is 1m0s behind the API server's"},
	} {
		k := &look{cluster: &cluster{clock: func() time.Time { return tt.server }}, sights: map[scope]*sight{}}
		l := made(t, "a", "t", "5", "").Lease()
		l.Spec.RenewTime = new(metav1.NewMicroTime(at.Add(-2 * time.Second)))
		require.True(t, k.changed(l, false))
		require.False(t, k.changed(made(t, "a", "t", "5", "").Lease(), false), "a renewal is enough")
		e := judge(*k.sights[scope{"shop", "invoicer"}], tt.server)
		require.Equal(t, stateHeld, e.State, name)
		require.Empty(t, e.Problems, name)
		require.Equal(t, tt.want == "", len(e.Warnings) == 0, name)
		require.Contains(t, strings.Join(e.Warnings, ""), tt.want, name)
		require.Equal(t, "1h0m", e.Holder.held(tt.server), "%s: not by the holder's clock", name)
	}
	b := newBed(t)
	b.active(0)
	b.now = func() time.Time { return time.Now().Add(-time.Hour) }
	found, e := b.status(exitFine, alone)
	require.Empty(t, e.Problems)
	require.InDelta(t, -3600, found.ClockAhead, 5)
	require.True(t, contains(found.Notes, "this machine's clock is 1h0m behind the API server's") ||
		contains(found.Notes, "this machine's clock is 59m59s behind the API server's"), found.Notes)
}

func TestStatusOfSeveral(t *testing.T) {
	b := newBed(t)
	b.active(0)
	b.create("biller", map[string]string{lease.AnnotationVacant: "yes"})
	other, err := b.server.CreateLease(&coordv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "node-1"},
		Spec:       coordv1.LeaseSpec{HolderIdentity: new("kubelet")},
	})
	require.NoError(t, err)
	_, err = b.server.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "tools", Name: "sweeper"}})
	require.NoError(t, err)

	text := b.exits(exitProblem, "status", "--look", "1s")
	require.Regexp(t, `(?s)LEASE.*\nbiller +never held.*\ninvoicer +held `, text)
	require.Contains(t, text, "PROBLEM: biller: nobody has held the Lease")
	require.Contains(t, text, "not shown: 1 of other programs")
	require.NotContains(t, text, other.Name)
	require.NotContains(t, text, "sweeper")
	text = b.exits(exitProblem, "status", "-A", "--look", "1s")
	require.Regexp(t, `(?s)NAMESPACE +LEASE[^\n]* PROGRAM\n.*\nshop +invoicer [^\n]* inspect\ntools +sweeper `, text)

	r := b.run("status", "-n", "none", "-o", "json", "--look", "0")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.stderr, "there is no Lease of hotseat")
	var found report
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &found))
	require.Equal(t, []entry{}, found.Leases)
}

// A Lease that is deleted while status looks is told as such.
func TestStatusSeesADeletion(t *testing.T) {
	b := newBed(t)
	b.create("invoicer", map[string]string{lease.AnnotationVacant: "yes"})
	go func() {
		for b.server.CountRequests(anonymous, "watch") == 0 {
			time.Sleep(time.Millisecond)
		}
		b.server.DeleteLease("shop", "invoicer")
	}()
	_, e := b.status(exitProblem, "--look", "2s")
	require.Equal(t, stateMissing, e.State)
	require.True(t, contains(e.Problems, "somebody deleted the Lease"))
}

// Reading takes the rights to read Leases, and no others.
func TestStatusWithFewRights(t *testing.T) {
	b := newBed(t)
	b.active(0)
	b.server.Forbid(anonymous, "create", "update", "patch", "delete", "get")
	found, e := b.status(exitFine, alone)
	require.Equal(t, stateHeld, e.State)
	require.True(t, contains(found.Notes, `not allowed to get pods in namespace shop`))
	b.server.Forbid(anonymous, "watch")
	found, e = b.status(exitFine, alone)
	require.Equal(t, stateHeld, e.State)
	require.Zero(t, e.Renewal.Seen)
	require.True(t, contains(found.Notes, "renewals could not be watched: not allowed to watch leases"))
	b.server.Forbid(anonymous, "list")
	require.Contains(t, b.exits(exitError, "status"),
		`not allowed to list leases in namespace shop: grant {apiGroups: ["coordination.k8s.io"], resources: [leases], verbs: [list]}`)
}

func TestStatusWithThePod(t *testing.T) {
	b := newBed(t)
	b.active(0)
	b.pod("a", true)
	require.Contains(t, b.exits(exitFine, "status", "invoicer", alone), "its Pod is Running on node n1")
	c := newBed(t)
	c.active(0)
	c.pod("a", false)
	_, e := c.status(exitProblem)
	require.True(t, contains(e.Problems, "the holder's Pod a is not ready"))
}
