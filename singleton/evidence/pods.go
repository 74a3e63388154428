package evidence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/hotseat-go/hotseat/internal/apiclient"
	"github.com/hotseat-go/hotseat/internal/retry"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// Config of [Pods]. The zero value is right for most Pods.
type Config struct {
	// Namespace of the Pods of all replicas. Default: [singleton.DefaultNamespace].
	Namespace string
	// Pod is the name of the Pod that this process is in. Default: $POD_NAME, else the Pod that the
	// token of the service account was issued for.
	Pod string
	// Container is the name of the container that this process is in. Default: the name in the path of
	// the termination log that the kubelet mounts into the container, else the Pod's only container.
	// Set it if the Pod has several containers and Identify returns [ErrUnfit].
	Container string
	// Logger is told, once, if polling replaces the watch. Nil means slog.Default().
	Logger *slog.Logger
}

// Pods is evidence by the Pods' status: a [singleton.Evidence]. Make it with [NewPods]. It is safe
// for concurrent use. All electors of a process may share one. It makes no requests and has no
// goroutines unless one of its methods is running.
type Pods struct {
	api    api
	host   host
	self   own
	logger *slog.Logger
	turn   chan struct{} // has room for the one who may look for this process's container
	mine   knowledge     // belongs to that one

	mu       sync.Mutex
	lookouts map[string]*lookout // by identity
	polls    bool                // logged that it polls
}

// knowledge is what is known of this process's container.
type knowledge struct {
	identity string
	unfit    error // an ErrUnfit, which stays
	failures int   // looks in a row that failed
}

// NewPods returns evidence for the process that calls it. It makes no request. It fails with
//   - [ErrNoPod], if the process is in no Pod as far as it can tell;
//   - a [*lease.FieldError], if a field of c is not as documented, or contradicts the service
//     account's token or the kubelet's mount.
func NewPods(client Client, c Config) (*Pods, error) { return newPods(client, c, thisHost()) }

func newPods(client Client, c Config, h host) (*Pods, error) {
	requests, err := apiclient.New(client, answerWithin)
	if err != nil {
		return nil, err
	}
	namespace, name, uid := h.bound()
	c.Namespace = cmp.Or(c.Namespace, singleton.DefaultNamespace(), namespace)
	c.Pod = cmp.Or(c.Pod, os.Getenv("POD_NAME"), name)
	switch {
	case c.Namespace == "" || c.Pod == "":
		return nil, fmt.Errorf("%w: set Config.Namespace and Config.Pod,"+
			" or $POD_NAMESPACE and $POD_NAME by the downward API", ErrNoPod)
	case len(validation.IsDNS1123Label(c.Namespace)) > 0:
		return nil, &lease.FieldError{
			Field: "Namespace", Value: c.Namespace, Rule: "must be the name of a namespace",
		}
	case len(validation.IsDNS1123Subdomain(c.Pod)) > 0:
		return nil, &lease.FieldError{Field: "Pod", Value: c.Pod, Rule: "must be the name of a Pod"}
	case name != "" && name != c.Pod:
		return nil, &lease.FieldError{
			Field: "Pod", Value: c.Pod, Rule: "must be the Pod that the token was issued for, " + name,
		}
	case name != "" && namespace != c.Namespace:
		return nil, &lease.FieldError{
			Field: "Namespace", Value: c.Namespace, Rule: "must be that of the token, " + namespace,
		}
	}
	mountUID, mounted := h.container()
	if c.Container != "" && mounted != "" && c.Container != mounted {
		return nil, &lease.FieldError{
			Field: "Container", Value: c.Container,
			Rule: "must be the one that this process is in, " + mounted,
		}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return &Pods{
		api: api{requests, c.Namespace}, host: h, logger: c.Logger,
		self:     own{c.Pod, cmp.Or(uid, mountUID), cmp.Or(c.Container, mounted)},
		turn:     make(chan struct{}, 1),
		lookouts: map[string]*lookout{},
	}, nil
}

const (
	// A kubelet shows a container within about a second. Before that, the status may still be that of
	// the container before.
	firstLook = 3 * time.Second
	lookMost  = 10 * time.Second
	// A status that has not matched for so long is told as an error.
	lookTime = 30 * time.Second
	// After failed looks, later ones come this seldom at least: nobody may ever mend it.
	failMost = time.Minute
)

// Identify implements [singleton.Evidence]. It waits until this process's own Pod shows the
// container that the process is in. It remembers the answer. It fails with
//   - [ErrUnfit], now and on each later call;
//   - an error of the API server;
//   - an error that says what in the Pod's status has not matched for 30 s;
//   - the cause of ctx's end.
func (p *Pods) Identify(ctx context.Context) (string, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	k := &p.mine
	if k.identity != "" || k.unfit != nil {
		return k.identity, k.unfit
	}
	if k.failures > 0 {
		retry.Pause(ctx, retry.After(ctx, k.failures, leastPause, failMost))
	}
	text, err := p.identify(ctx)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.Is(err, ErrUnfit):
		k.unfit = err
	case err != nil:
		k.failures++
	default:
		k.identity = text
	}
	return text, err
}

// identify looks at the own Pod until its status matches.
func (p *Pods) identify(ctx context.Context) (string, error) {
	started, err := p.host.started()
	if err != nil {
		return "", fmt.Errorf("%w: when its container started cannot be read: %w", ErrUnfit, err)
	}
	retry.Pause(ctx, time.Until(started.Add(firstLook)))
	for first, looks := time.Now(), 0; ; looks++ {
		alive := time.Now()
		shown, err := apiclient.Get[pod](ctx, p.api.Client, p.api.path(p.self.pod))
		if err != nil {
			return "", fmt.Errorf("evidence: %w", err)
		}
		found, waits, err := p.self.find(shown, started)
		if err != nil {
			return "", err
		}
		// In a later second than the start, or an earlier container may have ended in that second.
		if waits == "" && alive.Unix() > started.Unix() {
			found.alive = alive
			return found.String(), nil
		}
		if time.Since(first) > lookTime {
			return "", fmt.Errorf("evidence: Pod %s: %s", p.self.pod, waits)
		}
		retry.Pause(ctx, retry.After(ctx, looks, leastPause, lookMost))
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
	}
}

// Await implements [singleton.Evidence]. It watches the Pod of the process that published identity
// until the Pod shows the process's death. If this replica has the right to get Pods but not to
// watch them, Await looks every 2 s instead. It fails with
//   - [ErrIdentity];
//   - an error of the API server, if this replica has the right neither to watch nor to get Pods;
//   - the cause of ctx's end.
//
// All other errors of requests are retried.
func (p *Pods) Await(ctx context.Context, identity string) error {
	i, err := parse(identity)
	if err != nil {
		return err
	}
	l := p.join(i)
	defer p.leave(i, l)
	select {
	case <-l.ended:
		return l.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Dead implements [singleton.Evidence]. It reads the Pod of the process that published identity,
// and returns true only if the Pod proves the process's death. A Pod that does not exist proves
// nothing: Dead then returns false and no error. It fails with
//   - [ErrIdentity];
//   - an error of the API server.
func (p *Pods) Dead(ctx context.Context, identity string) (bool, error) {
	i, err := parse(identity)
	if err != nil {
		return false, err
	}
	shown, err := apiclient.Get[pod](ctx, p.api.Client, p.api.path(i.pod))
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("evidence: %w", err)
	}
	return i.deadIn(shown), nil
}
