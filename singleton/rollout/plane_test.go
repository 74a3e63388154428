package rollout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/rollout"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

const (
	podPath        = "/api/v1/namespaces/shop/pods/"
	setPath        = "/apis/apps/v1/namespaces/shop/replicasets/"
	deploymentPath = "/apis/apps/v1/namespaces/shop/deployments/"
	nodePath       = "/api/v1/nodes/"
)

// plane answers for Pods, ReplicaSets, Deployments and nodes, as an http.RoundTripper.
type plane struct {
	t *testing.T

	mu        sync.Mutex
	objects   map[string]map[string]any
	watches   map[string][]chan []byte
	forbidden []string // "verb resource"
	requests  map[string]int
}

func newPlane(t *testing.T) *plane {
	p := &plane{
		t: t, objects: map[string]map[string]any{}, watches: map[string][]chan []byte{},
		requests: map[string]int{},
	}
	t.Cleanup(func() { p.endWatches("") })
	return p
}

// put stores an object, given as JSON, and shows it to watches.
func (p *plane) put(path, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var o map[string]any
	require.NoError(p.t, json.Unmarshal([]byte(text), &o), text)
	metadata, _ := o["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		o["metadata"] = metadata
	}
	metadata["name"] = path[strings.LastIndexByte(path, '/')+1:]
	p.objects[path] = o
	for _, w := range p.watches[path] {
		w <- event("MODIFIED", o)
	}
}

func event(what string, o map[string]any) []byte {
	line, _ := json.Marshal(map[string]any{"type": what, "object": o})
	return append(line, '\n')
}

// endWatches ends them all, with something last: half an event is a connection that was cut.
func (p *plane) endWatches(last string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, all := range p.watches {
		for _, w := range all {
			w <- []byte(last + "\n")
			close(w)
		}
	}
	p.watches = map[string][]chan []byte{}
}

func (p *plane) forbid(what ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forbidden = what
}

func (p *plane) asked(what string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests[what]
}

func (p *plane) annotation(path, key string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	metadata := p.objects[path]["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	value, _ := annotations[key].(string)
	return value
}

func (p *plane) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path, verb := r.URL.Path, strings.ToLower(r.Method)
	if r.URL.Query().Get("watch") == "true" {
		name, _ := strings.CutPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name=")
		path, verb = path+"/"+name, "watch"
		seconds, err := strconv.Atoi(r.URL.Query().Get("timeoutSeconds"))
		assert.True(p.t, err == nil && seconds >= 300 && seconds < 450, "%d: %v", seconds, err)
	}
	parts := strings.Split(path, "/")
	what := verb + " " + parts[len(parts)-2]
	p.requests[what]++
	o := p.objects[path]
	switch {
	case slices.Contains(p.forbidden, what):
		return refuse(r, http.StatusForbidden, "no right to "+what), nil
	case verb == "watch":
		from, to := io.Pipe()
		lines := make(chan []byte, 100)
		p.watches[path] = append(p.watches[path], lines)
		if o != nil {
			lines <- event("ADDED", o)
		}
		context.AfterFunc(r.Context(), func() { _ = from.CloseWithError(r.Context().Err()) })
		go func() {
			defer func() { _ = to.Close() }()
			for line := range lines {
				_, _ = to.Write(line)
			}
		}()
		return respond(r, http.StatusOK, from), nil
	case o == nil:
		return refuse(r, http.StatusNotFound, "no "+path), nil
	case verb == "patch":
		assert.Equal(p.t, "application/merge-patch+json", r.Header.Get("Content-Type"))
		var patch struct {
			Metadata struct {
				UID         string
				Annotations map[string]*string
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&patch); err != nil {
			p.t.Error(err)
		}
		metadata := o["metadata"].(map[string]any)
		if metadata["uid"] != patch.Metadata.UID {
			return refuse(r, http.StatusConflict, "another uid"), nil
		}
		annotations, _ := metadata["annotations"].(map[string]any)
		if annotations == nil {
			annotations = map[string]any{}
			metadata["annotations"] = annotations
		}
		for key, value := range patch.Metadata.Annotations {
			if delete(annotations, key); value != nil {
				annotations[key] = *value
			}
		}
	}
	return respond(r, http.StatusOK, text(o)), nil
}

func text(o map[string]any) io.ReadCloser {
	line, _ := json.Marshal(o)
	return io.NopCloser(bytes.NewReader(line))
}

func respond(r *http.Request, code int, body io.ReadCloser) *http.Response {
	return &http.Response{
		StatusCode: code, Body: body, Request: r, Header: http.Header{"Content-Type": {"application/json"}},
	}
}

func refuse(r *http.Request, code int, message string) *http.Response {
	return respond(r, code, text(map[string]any{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message,
	}))
}

// logs collects lines.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

// lab is a plane, and a Lease with electors.
type lab struct {
	*testing.T
	*plane
	leases *singletontest.Cluster
	logs   *logs
}

func inLab(t *testing.T, f func(l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		leases := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
		t.Cleanup(leases.Close)
		l := &lab{T: t, plane: newPlane(t), leases: leases, logs: &logs{}}
		for _, pod := range []string{"old-1", "old-2", "new-1"} {
			set, _, _ := strings.Cut(pod, "-")
			l.putPod(pod, "invoicer-"+set, "")
		}
		l.put(setPath+"invoicer-old", replicaSet(1))
		l.put(setPath+"invoicer-new", replicaSet(2))
		l.put(deploymentPath+"invoicer", deployment(1, 3, 3, 3))
		l.put(nodePath+"node-1", `{"spec": {}}`)
		l.put(nodePath+"node-2", `{"spec": {}}`)
		f(l)
	})
}

func (l *lab) putPod(name, set, more string) {
	node := "node-1"
	if name == "old-2" {
		node = "node-2"
	}
	l.put(podPath+name, fmt.Sprintf(`{"metadata": {"uid": "uid-%s"%s,
		"ownerReferences": [{"kind": "ReplicaSet", "name": %q, "controller": true}]}, "spec": {"nodeName": %q}}`,
		name, more, set, node))
}

func replicaSet(revision int) string {
	return fmt.Sprintf(`{"metadata": {"annotations": {"deployment.kubernetes.io/revision": "%d"},
		"ownerReferences": [{"kind": "Other", "name": "x"}, {"kind": "Deployment", "name": "invoicer", "controller": true}]}}`, revision)
}

func deployment(revision, replicas, updated, available int) string {
	return fmt.Sprintf(`{"metadata": {"generation": 2, "annotations": {"deployment.kubernetes.io/revision": "%d"}},
		"status": {"observedGeneration": 2, "replicas": %d, "updatedReplicas": %d, "availableReplicas": %d}}`,
		revision, replicas, updated, available)
}

func (l *lab) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l.logs, nil)) }

func (l *lab) follower(pod string, c rollout.Config) *rollout.Follower {
	c.Pod, c.Namespace, c.Logger = pod, "shop", l.logger()
	client, err := singleton.NewClient(&rest.Config{Host: "http://plane", Transport: l.plane})
	require.NoError(l, err)
	f, err := rollout.New(client, c)
	require.NoError(l, err)
	return f
}

// replica runs an elector and its follower, and returns the elector.
func (l *lab) replica(pod string, c rollout.Config) *singleton.Elector {
	e, _ := l.stoppable(pod, c)
	return e
}

func (l *lab) stoppable(pod string, c rollout.Config) (e *singleton.Elector, stop func()) {
	l.Helper()
	f := l.follower(pod, c)
	e, err := singleton.New(l.leases.Client(pod), singleton.Config{
		Name: "invoicer", Namespace: "shop", Logger: l.logger(),
		Replica: singleton.ReplicaConfig{Identity: pod},
	})
	require.NoError(l, err)
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { assert.NoError(l, f.Run(ctx, e)) })
	ended.Go(func() {
		assert.NoError(l, e.Run(ctx, func(ctx context.Context, _ *singleton.Term) error {
			<-ctx.Done()
			return nil
		}))
	})
	stop = sync.OnceFunc(func() {
		cancel()
		ended.Wait() // no goroutine is left: the bubble would find it, too
	})
	l.Cleanup(stop)
	synctest.Wait()
	return e, stop
}
