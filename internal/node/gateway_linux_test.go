package node

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/examples/gateway/client"
	"github.com/hotseat-go/hotseat/internal/e2e/manifests"
	"github.com/hotseat-go/hotseat/internal/reach"
)

const gatewayImage = "hotseat.test/gateway:1"

const gatewayHead = `## examples/gateway in Pods

Three replicas of examples/gateway/deploy, all of them ready, with a lease duration of %v. A client of
the example on each of two nodes sends a request every %v to the ClusterIP of the Service, which
selects the active's Pod by its label. kube-proxy runs in nftables mode, with its defaults. A request
that is refused or gets no answer is sent again a second later.

- "Refused" (503) and "errors" count tries; the other numbers are requests.
- "Longest" is the longest time from one answer to the next, as a client saw it.
- "Oldest" is the age of the cache from which a next active picked first. "Without metrics" ends the
  model servers before the active, so that nobody can fill a cache.

Every request was answered in the end. No two replicas picked at once, and at most one address of the
Service was ready in each of %d versions.

`

// TestGateway plays the example as its README has it, on real nodes.
func TestGateway(t *testing.T) {
	if testing.Short() {
		t.Skip("it has no short run")
	}
	c := newCluster(t, Options{Nodes: 2, Proxy: true, Images: []Image{
		{Name: gatewayImage, Package: "github.com/hotseat-go/hotseat/examples/gateway"},
	}})
	g := newPickers(t, c)
	var table strings.Builder
	table.WriteString("| event | n | requests | retried | refused | errors | longest, p50 / max (ms) | oldest (ms) |\n")
	table.WriteString("|---|---|---|---|---|---|---|---|\n")
	for _, e := range []struct {
		name string
		play func(active string)
	}{
		{"none, for 5 s", nil},
		{"handover (Pod deleted)", g.deleted},
		{"rollout", func(string) { g.kubectl("", "rollout", "restart", "deployment/gateway") }},
		{"crash (kill -9)", g.killed},
		{"crash without metrics", g.killedBlind},
	} {
		table.WriteString(g.playAll(e.name, e.play, 3))
	}
	var answers []reach.Answer
	for _, asks := range g.clients {
		asks.Stop()
		for _, row := range asks.Rows() {
			require.Equal(t, row.Sent, row.Answered, "%+v", row)
		}
		answers = append(answers, asks.Answers()...)
	}
	require.NoError(t, reach.Audit(answers), "the clients count as one")
	versions, most, when, err := g.endpoint.verdict()
	require.NoError(t, err)
	require.Equal(t, 1, most, "%s", when)
	report(t, "5-gateway", fmt.Sprintf(gatewayHead, timing().LeaseDuration, client.Every, versions)+table.String())
}

// pickers are the replicas of the example, with clients.
type pickers struct {
	*lab
	endpoint *endpoints
	clients  []*client.Client
}

func newPickers(t *testing.T, c *Cluster) *pickers {
	t.Helper()
	g := &pickers{lab: &lab{Cluster: c, t: t, namespace: "llm"}}
	g.kubectl("", "create", "namespace", g.namespace)
	g.kubectl("", "label", "namespace", g.namespace, "pod-security.kubernetes.io/enforce=restricted")
	g.endpoint = watchEndpoints(t, c, g.namespace, "gateway")
	built, err := manifests.Build("../../examples/gateway/deploy")
	require.NoError(t, err)
	objects := replaced(t, string(built), "example.com/gateway:1.0.0", gatewayImage)
	tm := timing()
	objects = replaced(t, objects, "- -models=", fmt.Sprintf(
		"- -lease-duration=%v\n        - -renew-deadline=%v\n        - -retry-period=%v\n        - -models=",
		tm.LeaseDuration, tm.RenewDeadline, tm.RetryPeriod))
	var models []string
	for object := range strings.SplitSeq(objects, "\n---\n") {
		if strings.Contains(object, "\n  name: models\n") {
			models = append(models, object)
		}
	}
	require.Len(t, models, 2)
	g.kubectl(strings.Join(models, "\n---\n"), "apply", "-f", "-")
	// Pods have no DNS here.
	g.kubectl(replaced(t, objects, "http://models:8080", "http://"+g.clusterIP("models")+":8080"), "apply", "-f", "-")
	g.complete()
	for _, n := range c.Nodes {
		inside, err := n.Inside()
		require.NoError(t, err)
		t.Cleanup(inside.Close)
		asks := client.Start(client.Config{
			Name: n.Name, Addrs: []string{g.clusterIP("gateway") + ":80"}, Dial: inside.Dial, Patience: endurance,
		})
		t.Cleanup(asks.Stop)
		g.clients = append(g.clients, asks)
	}
	return g
}

func replaced(t *testing.T, text, old, by string) string {
	t.Helper()
	require.Contains(t, text, old)
	return strings.ReplaceAll(text, old, by)
}

func (g *pickers) clusterIP(service string) string {
	g.t.Helper()
	s, err := g.Plane().Admin().CoreV1().Services(g.namespace).Get(g.t.Context(), service, metav1.GetOptions{})
	require.NoError(g.t, err)
	return s.Spec.ClusterIP
}

func (g *pickers) complete() {
	g.t.Helper()
	for _, name := range []string{"models", "gateway"} {
		g.kubectl("", "rollout", "status", "deployment/"+name, "--timeout=2m50s")
	}
}

// next waits until every client is answered by a later term than that of the epoch, and returns
// the first answers.
func (g *pickers) next(epoch int64) (firsts []client.Pick) {
	g.t.Helper()
	for _, asks := range g.clients {
		first, err := asks.Next(g.t.Context(), epoch)
		require.NoError(g.t, err)
		firsts = append(firsts, first)
	}
	return firsts
}

// active waits until all clients are answered by one replica, whose Pod alone has the label, and all
// replicas are ready. It returns the replica's first answer.
func (g *pickers) active() (active client.Pick) {
	g.t.Helper()
	g.complete()
	for end := time.Now().Add(endurance); ; g.rest(5 * reach.Every) {
		firsts := g.next(0)
		active = firsts[0]
		other := func(p client.Pick) bool { return p.Epoch != active.Epoch }
		labelled, ready := g.pods()
		if !slices.ContainsFunc(firsts, other) && slices.Equal(labelled, []string{active.Replica}) && ready == 3 {
			return active
		}
		require.True(g.t, time.Now().Before(end), "clients reach %+v, labelled are %v, ready are %d", firsts, labelled, ready)
	}
}

// pods are those with the label, and how many are ready.
func (g *pickers) pods() (labelled []string, ready int) {
	g.t.Helper()
	pods, err := g.Plane().Admin().CoreV1().Pods(g.namespace).List(g.t.Context(),
		metav1.ListOptions{LabelSelector: "app=gateway"})
	if err != nil {
		return nil, 0
	}
	for _, pod := range pods.Items {
		if pod.Labels["hotseat-go.github.io/role"] == "active" {
			labelled = append(labelled, pod.Name)
		}
		if slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}) {
			ready++
		}
	}
	return labelled, ready
}

// playAll plays an event some times, and returns its row.
func (g *pickers) playAll(name string, play func(active string), times int) string {
	g.t.Helper()
	var sum client.Row
	var longest []time.Duration
	var oldest int64
	for n := range times {
		active := g.active()
		g.rest(2 * time.Second) // requests are tried again meanwhile
		phase := fmt.Sprintf("%s %d", name, n)
		for _, asks := range g.clients {
			asks.Begin(phase)
		}
		if play == nil {
			g.rest(5 * time.Second)
		} else {
			play(active.Replica)
			for _, first := range g.next(active.Epoch) {
				oldest = max(oldest, first.AgeMillis)
			}
			g.active()
			g.rest(2 * time.Second)
		}
		for _, asks := range g.clients {
			rows := asks.Rows()
			row := rows[len(rows)-1]
			require.Equal(g.t, phase, row.Phase)
			require.Positive(g.t, row.Answered)
			sum.Sent, sum.Retried = sum.Sent+row.Sent, sum.Retried+row.Retried
			sum.Refused, sum.Errors = sum.Refused+row.Refused, sum.Errors+row.Errors
			longest = append(longest, row.Longest)
		}
	}
	if strings.HasPrefix(name, "crash") {
		require.Positive(g.t, sum.Retried, "the clients noticed nothing of a crash")
		require.Greater(g.t, slices.Min(longest), time.Second, "nobody picks before the lease duration is over")
	}
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d / %d | %d |\n", name, times, sum.Sent, sum.Retried,
		sum.Refused, sum.Errors, percentile(longest, 50).Milliseconds(), percentile(longest, 100).Milliseconds(), oldest)
}

func (g *pickers) deleted(active string) {
	g.t.Helper()
	g.kubectl("", "delete", "pod", active, "--wait=false")
}

func (g *pickers) killed(active string) {
	g.t.Helper()
	require.NoError(g.t, unix.Kill(g.processOf(active), syscall.SIGKILL))
}

// killedBlind kills it when the model servers are gone. They come back when another one has picked,
// whose cache can only be from before.
func (g *pickers) killedBlind(active string) {
	g.t.Helper()
	g.kubectl("", "scale", "deployment/models", "--replicas=0")
	g.kubectl("", "wait", "--for=delete", "pod", "-l", "app=models", "--timeout=2m")
	gone := time.Now()
	before := g.next(0)[0]
	g.rest(time.Second)
	g.killed(active)
	killed := time.Now()
	for _, first := range g.next(before.Epoch) {
		require.GreaterOrEqual(g.t, first.AgeMillis, killed.Sub(gone).Milliseconds(), "%s filled its cache", first.Replica)
	}
	g.kubectl("", "scale", "deployment/models", "--replicas=1")
}
