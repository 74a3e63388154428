package route

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/apiclient"
)

const (
	core = "/api/v1"

	// markSuffix is behind the label's key in the name of the annotation with a Pod's mark.
	markSuffix = "-term"

	// atOnce is how many Pods are written at once.
	atOnce = 16
)

// ByLabel returns a [Router] that labels the active replica's Pod, and no other. It makes no
// request. The error joins a [*lease.FieldError] for each broken rule.
func ByLabel(client Client, config LabelConfig) (*Router, error) {
	api, err := apiclient.New(client, answerWithin)
	config, err = config.checked(err)
	if err != nil {
		return nil, err
	}
	return &Router{options: config.Options, way: &byLabel{config: config, api: api}}, nil
}

// byLabel is the way by a Pod label. See the package's documentation for why no late request of an
// earlier term can do harm.
type byLabel struct {
	config LabelConfig
	api    apiclient.Client
}

func (l *byLabel) String() string { return "the label of Pod " + l.config.Pod.Name }

func (l *byLabel) markKey() string { return l.config.Key + markSuffix }

func (l *byLabel) settle(ctx context.Context, t term, own fencing.Token, open bool) error {
	return repeat(ctx, func() (bool, error) { return l.round(ctx, t, own, open) })
}

// round looks at all Pods, and writes what has to be written. If done is false, something came
// between a look and a write; err then says what, and may be nil.
func (l *byLabel) round(
	ctx context.Context, t term, own fencing.Token, open bool,
) (done bool, err error) {
	pods, err := l.list(ctx)
	if err != nil {
		return true, err
	}
	mine, claims, err := l.look(pods, own)
	if err != nil {
		return true, err
	}
	if !t.Valid() {
		return true, errOver
	}
	if whole, err := l.claim(ctx, claims, own); err != nil || !whole {
		return err != nil, err
	}
	if !open || mine.labelled {
		return true, nil
	}
	if !t.Valid() {
		return true, errOver
	}
	err = l.publish(ctx, own)
	// The mark is another's by now if the patch is invalid.
	return !apierrors.IsInvalid(err), wrapped("label Pod "+l.config.Pod.Name, err)
}

// pod is one of those that Pods selects.
type pod struct {
	Metadata metadata `json:"metadata"`
	labelled bool     // and the label is own's
}

// list asks the store, not a cache that may be behind.
func (l *byLabel) list(ctx context.Context) ([]pod, error) {
	// The others are no address of any Service, and never will be again.
	const running = "status.phase!=Succeeded,status.phase!=Failed"
	pods, err := apiclient.List[pod](ctx, l.api, l.path(""), l.config.Pods, running)
	return pods, wrapped("look at the Pods "+l.config.Pods, err)
}

// path of a Pod, or of all.
func (l *byLabel) path(name string) apiclient.Path {
	return apiclient.Path{
		Group: core, Namespace: l.config.Pod.Namespace, Resource: "pods", Name: name,
	}
}

// look returns this replica's Pod, and the Pods that own's term has to claim: those without its
// mark, and others with the label.
func (l *byLabel) look(pods []pod, own fencing.Token) (mine *pod, claims []pod, err error) {
	for i := range pods {
		p := &pods[i]
		ours, err := judged(own, "Pod "+p.Metadata.Name, l.markKey(), p.Metadata.Annotations[l.markKey()])
		if err != nil {
			return nil, nil, err
		}
		value, labelled := p.Metadata.Labels[l.config.Key]
		me := p.Metadata.Name == l.config.Pod.Name && p.Metadata.UID == l.config.Pod.UID
		if me {
			mine = p
			p.labelled = ours && value == Active
		}
		if !ours || labelled && !me {
			claims = append(claims, *p)
		}
	}
	if mine == nil {
		return nil, nil, fmt.Errorf(
			"%w: Pod %s (UID %s) is not among the %d Pods that %q selects in namespace %s", ErrSetup,
			l.config.Pod.Name, l.config.Pod.UID, len(pods), l.config.Pods, l.config.Pod.Namespace)
	}
	return mine, claims, nil
}

// claim strips Pods of the label, and puts own's mark on them. Each write is for the version that
// was looked at. It reports false if a Pod has changed.
func (l *byLabel) claim(
	ctx context.Context, pods []pod, own fencing.Token,
) (whole bool, err error) {
	var (
		running sync.WaitGroup
		free    = make(chan struct{}, atOnce)
		errs    = make([]error, len(pods))
	)
	for i := range pods {
		running.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			errs[i] = l.mark(ctx, pods[i].Metadata, own)
		})
	}
	running.Wait()
	whole = true
	for i, err := range errs {
		switch {
		case apierrors.IsConflict(err):
			whole = false
		case apierrors.IsNotFound(err): // it is gone, and cannot come back with this version
		case err != nil:
			return false, wrapped("claim Pod "+pods[i].Metadata.Name, err)
		}
	}
	return whole, nil
}

func (l *byLabel) mark(ctx context.Context, pod metadata, own fencing.Token) error {
	return l.api.Patch(ctx, l.path(pod.Name), types.MergePatchType, values{
		"metadata": values{
			"resourceVersion": pod.ResourceVersion,
			"labels":          values{l.config.Key: nil},
			"annotations":     values{l.markKey(): own.String()},
		},
	})
}

// publish labels this replica's Pod if it bears own's mark.
func (l *byLabel) publish(ctx context.Context, own fencing.Token) error {
	return l.edit(ctx,
		step{"test", pointer("annotations", l.markKey()), own.String()},
		step{"add", pointer("labels", l.config.Key), Active},
	)
}

// withdraw removes the label. It also closes the mark, so that no request to publish that is still
// under way can put the label back.
func (l *byLabel) withdraw(ctx context.Context, own fencing.Token, _ bool) error {
	err := l.edit(ctx,
		step{"test", pointer("annotations", l.markKey()), own.String()},
		step{"replace", pointer("annotations", l.markKey()), own.String() + over},
		step{"add", pointer("labels", l.config.Key), ""}, // so that there is something to remove
		step{"remove", pointer("labels", l.config.Key), nil},
	)
	if apierrors.IsNotFound(err) {
		return nil // the Pod is gone
	}
	if !apierrors.IsInvalid(err) {
		return wrapped("withdraw the label of Pod "+l.config.Pod.Name, err)
	}
	// The mark is not own's: a successor has stripped the Pod, or an earlier attempt did it.
	pods, err := l.list(ctx)
	if err != nil {
		return err
	}
	mine, _, err := l.look(pods, own)
	if err != nil || !mine.labelled {
		if errors.Is(err, ErrSetup) {
			return nil // the Pod is gone, or ends
		}
		return ignoring(err, ErrSuperseded)
	}
	return errors.New("route: the Pod changed meanwhile")
}

func (l *byLabel) edit(ctx context.Context, steps ...step) error {
	return l.api.Patch(ctx, l.path(l.config.Pod.Name), types.JSONPatchType, steps)
}

// pointer to a value in an object's metadata (RFC 6901).
func pointer(field, key string) string {
	return "/metadata/" + field + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

func ignoring(err, kind error) error {
	if errors.Is(err, kind) {
		return nil
	}
	return err
}
