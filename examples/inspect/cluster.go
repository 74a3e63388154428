package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// reach says how the API server is reached, as kubectl's flags of the same names do.
type reach struct {
	kubeconfig string
	timeout    time.Duration
	overrides  clientcmd.ConfigOverrides
}

func reachFlags(set *pflag.FlagSet) *reach {
	r := &reach{}
	set.StringVarP(&r.overrides.Context.Namespace, "namespace", "n", "", "namespace of the Lease")
	set.StringVar(&r.kubeconfig, "kubeconfig", "", "path of the kubeconfig file")
	set.StringVar(&r.overrides.CurrentContext, "context", "", "context of the kubeconfig")
	set.StringVar(&r.overrides.Context.Cluster, "cluster", "", "cluster of the kubeconfig")
	set.StringVar(&r.overrides.Context.AuthInfo, "user", "", "user of the kubeconfig")
	set.StringVarP(&r.overrides.ClusterInfo.Server, "server", "s", "", "URL of the API server")
	set.StringVar(&r.overrides.AuthInfo.Impersonate, "as", "", "user to act as")
	set.DurationVar(&r.timeout, "request-timeout", 10*time.Second,
		"how long to wait for an answer of the API server")
	return r
}

// cluster is the API server that the flags name. Connect it before use.
type cluster struct {
	reach     *reach
	clock     func() time.Time
	namespace string // the flag's, else the context's
	host      string
	client    kubernetes.Interface
	fastest   atomic.Int64 // answer of the API server, in nanoseconds; 0 before the first
	slowest   atomic.Int64
	ahead     atomic.Int64 // of the API server's clock before ours, in nanoseconds; 0 if not known
}

func (c *cluster) connect() error {
	if c.reach.timeout <= 0 {
		return misused("--request-timeout is %v, must be above 0", c.reach.timeout)
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.reach.kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &c.reach.overrides)
	config, err := loader.ClientConfig()
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	if c.namespace, _, err = loader.Namespace(); err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.QPS = -1
	config.UserAgent = "kubectl-hotseat"
	config.WarningHandler = rest.NoWarnings{}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return c.dateOf(next) })
	c.host = config.Host
	if c.client, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	return nil
}

// roundTrip is an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// dateOf reads the API server's clock off its answers, and how long they take.
func (c *cluster) dateOf(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		sent := c.clock()
		response, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		took := int64(c.clock().Sub(sent))
		c.slowest.Store(max(c.slowest.Load(), took))
		if fastest := c.fastest.Load(); fastest == 0 || took < fastest {
			c.fastest.Store(took)
		}
		if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			c.ahead.Store(int64(date.Add(500 * time.Millisecond).Sub(c.clock()))) // whole seconds
		}
		return response, nil
	})
}

// serverTime is what the API server's clock shows. It tells whole seconds, so what is less than one
// apart, or not known, counts as the same.
func (c *cluster) serverTime() time.Time {
	if ahead := time.Duration(c.ahead.Load()); ahead.Abs() >= time.Second {
		return c.clock().Add(ahead)
	}
	return c.clock()
}

// asked bounds one request.
func (c *cluster) asked(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.reach.timeout)
}

// what a request is about, for its error.
type what struct{ verb, group, resource, namespace, name string }

// failed says what a failed request means, and what helps.
func (c *cluster) failed(ctx context.Context, w what, err error) error {
	where := "in namespace " + w.namespace
	if w.namespace == "" {
		where = "in all namespaces"
	}
	_, isNetwork := errors.AsType[net.Error](err)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err() // ours to tell
	case apierrors.IsForbidden(err):
		return fmt.Errorf("not allowed to %s %s %s: grant {apiGroups: [%q], resources: [%s], verbs: [%s]}:"+
			" %w", w.verb, w.resource, where, w.group, w.resource, w.verb, err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the API server at %s refuses the credentials of the kubeconfig: %w", c.host, err)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("there is no %s %s %s: %w", cmp.Or(singular(w.resource), w.resource), w.name,
			where, err)
	case errors.Is(err, context.DeadlineExceeded), apierrors.IsTimeout(err):
		return fmt.Errorf("the API server at %s does not answer within %v (--request-timeout): %w", c.host,
			c.reach.timeout, err)
	case isNetwork:
		return fmt.Errorf("the API server at %s cannot be reached: %w", c.host, bare(err))
	}
	return fmt.Errorf("%s %s %s: %w", w.verb, w.resource, where, err)
}

func singular(resource string) string {
	return map[string]string{"leases": "Lease", "pods": "Pod", "pods/proxy": "page of the Pod"}[resource]
}

// bare is a failed request's error without its URL, which says nothing new.
func bare(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}
