package evidence

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sample is what a real node has shown: of the samples some are scrubbed of what does not matter.
type sample struct {
	What   string            `json:"what"`
	Holder string            `json:"holder"` // as it would have published itself
	Dead   bool              `json:"dead"`   // that each of the Pods proves its death
	Shown  []json.RawMessage `json:"shown"`  // Pods
}

// TestSamples replays what a kubelet, containerd and runc have shown: of deaths, and beside holders
// that were alive.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob("testdata/samples/*.json")
	require.NoError(t, err)
	dead, living := 0, 0
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var s sample
			require.NoError(t, json.Unmarshal(text, &s))
			i, err := parse(s.Holder)
			require.NoError(t, err)
			require.NotEmpty(t, s.Shown)
			for n, raw := range s.Shown {
				p := &pod{}
				require.NoError(t, json.Unmarshal(raw, p))
				require.Equal(t, s.Dead, i.deadIn(p), "%s, Pod %d", s.What, n)
				requireOthersLive(t, i, p)
			}
			if s.Dead {
				dead++
			} else {
				living++
			}
		})
	}
	require.Equal(t, 42, dead)
	require.Equal(t, 8, living)
}

// requireOthersLive: what proves one container's death proves nobody else's, and nothing of a
// process that lived after it.
func requireOthersLive(t *testing.T, i identity, p *pod) {
	t.Helper()
	later := i
	later.alive = time.Now()
	require.False(t, later.deadIn(p), "it was alive after that")
	another := i
	another.uid += "x"
	require.False(t, another.deadIn(p), "of another Pod of the name")
	another = i
	another.container += "x"
	require.False(t, another.deadIn(p), "of another container")
	for _, s := range p.statuses() {
		if s.State.Running != nil {
			next := i
			next.id = s.ContainerID
			require.False(t, next.deadIn(p), "the container that runs now")
		}
	}
}

// podOf is a Pod invoicer-0 with these statuses, which are JSON.
func podOf(t *testing.T, statuses ...string) *pod {
	t.Helper()
	p := &pod{}
	require.NoError(t, json.Unmarshal([]byte(podJSON(statuses...)), p))
	return p
}

func podJSON(statuses ...string) string {
	return fmt.Sprintf(`{"metadata": {"name": "invoicer-0", "uid": "uid-0"},
		"spec": {"containers": [{"name": "invoicer"}]}, "status": {"containerStatuses": [%s]}}`,
		strings.Join(statuses, ","))
}

func running(id string, start float64) string {
	return fmt.Sprintf(`{"name": "invoicer", "containerID": %q, "state": {"running": {"startedAt": %q}}}`,
		id, shown(start))
}

func ended(id string, end float64) string {
	return fmt.Sprintf(`{"name": "invoicer", "containerID": %q, "state": {"terminated": `+
		`{"containerID": %q, "reason": "Error", "finishedAt": %q}}}`, id, id, shown(end))
}

// shown is a time as the API has it.
func shown(seconds float64) string { return at(seconds).UTC().Format(time.RFC3339) }

// TestProof is about statuses that no node has shown yet.
func TestProof(t *testing.T) {
	over := func(id, reason, finished string) string {
		return fmt.Sprintf(`{"terminated": {"containerID": %q, "reason": %q, "finishedAt": %s}}`, id, reason, finished)
	}
	end := fmt.Sprintf("%q", shown(20))
	for name, c := range map[string]struct {
		status string
		dead   bool
	}{
		"ended":        {`{"name": "invoicer", "state": ` + over(idA, "Error", end) + `}`, true},
		"ended before": {`{"name": "invoicer", "lastState": ` + over(idA, "OOMKilled", end) + `}`, true},
		"ended, and the next one runs": {`{"name": "invoicer", "containerID": "` + idB +
			`", "state": {"running": {}}, "lastState": ` + over(idA, "Error", end) + `}`, true},
		"ended, and the next one ended": {`{"name": "invoicer", "containerID": "` + idB +
			`", "state": ` + over(idB, "Error", end) + `, "lastState": ` + over(idA, "Error", end) + `}`, true},
		"ended in the second in which it was alive last": {
			`{"name": "invoicer", "state": ` + over(idA, "Error", fmt.Sprintf("%q", shown(10))) + `}`, true,
		},
		"ended before it was alive": {
			`{"name": "invoicer", "state": ` + over(idA, "Error", fmt.Sprintf("%q", shown(9))) + `}`, false,
		},
		"without a time":     {`{"name": "invoicer", "state": ` + over(idA, "Error", "null") + `}`, false},
		"lost":               {`{"name": "invoicer", "state": ` + over(idA, unknown, end) + `}`, false},
		"lost before":        {`{"name": "invoicer", "lastState": ` + over(idA, unknown, end) + `}`, false},
		"without an id":      {`{"name": "invoicer", "state": ` + over("", "Error", end) + `}`, false},
		"of another":         {`{"name": "invoicer", "state": ` + over(idB, "Error", end) + `}`, false},
		"restarted twice":    {`{"name": "invoicer", "restartCount": 2, "state": {"running": {}}, "lastState": ` + over(idB, "Error", end) + `}`, false},
		"its id cut short":   {`{"name": "invoicer", "state": ` + over(idA[:30], "Error", end) + `}`, false},
		"its id in capitals": {`{"name": "invoicer", "state": ` + over(strings.ToUpper(idA), "Error", end) + `}`, false},
		"another container's": {
			`{"name": "proxy", "state": ` + over(idA, "Error", end) + `}`, false,
		},
		"said to have ended, and running": {`{"name": "invoicer", "containerID": "` + idA +
			`", "state": {"running": {}}, "lastState": ` + over(idA, "Error", end) + `}`, false},
		"waiting": {`{"name": "invoicer", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}`, false},
		"nothing": {`{"name": "invoicer"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.dead, holder().deadIn(podOf(t, c.status)))
			swapped := podOf(t, c.status)
			swapped.Status.InitContainers, swapped.Status.Containers = swapped.Status.Containers, nil
			require.Equal(t, c.dead, holder().deadIn(swapped), "as a sidecar")
		})
	}
	require.True(t, holder().deadIn(podOf(t, running(idB, 30), ended(idA, 20))))
	require.False(t, holder().deadIn(podOf(t, ended(idA, 20), running(idA, 5))), "one entry says that it runs")
	ephemeral := podOf(t)
	require.NoError(t, json.Unmarshal([]byte(`{"status": {"ephemeralContainerStatuses": [`+ended(idA, 20)+`]}}`), ephemeral))
	require.False(t, holder().deadIn(ephemeral))
}

func TestOwnContainer(t *testing.T) {
	me := own{pod: "invoicer-0"}
	for name, c := range map[string]struct {
		me    own
		pod   string
		waits string
		unfit string
	}{
		"runs":                             {me: me, pod: podJSON(running(idA, 5))},
		"shown in the second after":        {me: me, pod: podJSON(running(idA, 6))},
		"shown late":                       {me: me, pod: podJSON(running(idA, 60))},
		"the one before":                   {me: me, pod: podJSON(running(idB, 4)), waits: "shown as started at"},
		"one of a clock that was put back": {me: me, pod: podJSON(running(idB, 100)), waits: "shown as started at"},
		"the one before, ended":            {me: me, pod: podJSON(ended(idB, 4)), waits: "not shown as running"},
		"none yet":                         {me: me, pod: podJSON(), waits: "not shown as running"},
		"named":                            {me: own{"invoicer-0", "uid-0", "invoicer"}, pod: podJSON(running(idA, 5))},
		"another Pod of the name":          {me: own{pod: "invoicer-0", uid: "uid-1"}, pod: podJSON(running(idA, 5)), unfit: `UID "uid-0"`},
		"no such container":                {me: own{pod: "invoicer-0", container: "worker"}, pod: podJSON(running(idA, 5)), unfit: `no container "worker"`},
		"an id that is none":               {me: me, pod: podJSON(running("abc", 5)), unfit: `id "abc"`},
		"hostPID":                          {me: me, pod: `{"spec": {"hostPID": true, "containers": [{"name": "invoicer"}]}}`, unfit: "hostPID"},
		"shareProcessNamespace":            {me: me, pod: `{"spec": {"shareProcessNamespace": true, "containers": [{"name": "invoicer"}]}}`, unfit: "shareProcessNamespace"},
		"one of two":                       {me: me, pod: `{"spec": {"containers": [{"name": "invoicer"}, {"name": "proxy"}]}}`, unfit: "(invoicer, proxy)"},
		"beside a sidecar":                 {me: me, pod: `{"spec": {"containers": [{"name": "invoicer"}], "initContainers": [{"name": "proxy", "restartPolicy": "Always"}]}}`, unfit: "(invoicer, proxy)"},
		"after an init container":          {me: me, pod: `{"metadata": {"uid": "uid-0"}, "spec": {"containers": [{"name": "invoicer"}], "initContainers": [{"name": "set-up"}]}, "status": {"containerStatuses": [` + running(idA, 5) + `]}}`},
		"a sidecar itself":                 {me: own{pod: "invoicer-0", container: "invoicer"}, pod: `{"metadata": {"uid": "uid-0"}, "spec": {"containers": [{"name": "web"}], "initContainers": [{"name": "invoicer", "restartPolicy": "Always"}]}, "status": {"initContainerStatuses": [` + running(idA, 5) + `]}}`},
		"named after an ephemeral one, not listed": {me: own{pod: "invoicer-0", container: "debugger"}, pod: podJSON(running(idA, 5)), unfit: `no container "debugger"`},
	} {
		t.Run(name, func(t *testing.T) {
			p := &pod{}
			require.NoError(t, json.Unmarshal([]byte(c.pod), p))
			found, waits, err := c.me.find(p, at(5.7))
			if c.unfit != "" {
				require.ErrorIs(t, err, ErrUnfit)
				require.ErrorContains(t, err, c.unfit)
				return
			}
			require.NoError(t, err)
			if c.waits != "" {
				require.Contains(t, waits, c.waits)
				return
			}
			require.Empty(t, waits)
			require.Equal(t, identity{pod: "invoicer-0", uid: "uid-0", container: "invoicer", id: idA}, found)
		})
	}
}
