package writegate

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
)

// Terms tells the current term. A [*singleton.Elector] does. Both methods must be safe for
// concurrent use and must not block.
type Terms interface {
	// Status returns the current state. The gate uses only its Term.
	Status() singleton.Status
	// Scope returns the scope of the terms' tokens.
	Scope() string
}

// Config of a [Gate]. Only Terms is required.
type Config struct {
	// Terms is the elector whose terms let writes through.
	Terms Terms

	// Stamp lists the resources whose writes get the term's token: the Resources of a
	// [kubefence.Policy], such as {Resource: "configmaps"} or {Group: "apps", Resource:
	// "deployments"}. See the package comment. Default: none.
	Stamp []schema.GroupResource

	// Allow, if set, reports whether a write may pass at any time, without a stamp. It is for what
	// standbys write too, such as Events. It is called for each attempt of a write. It must be safe
	// for concurrent use, and must neither change the request nor read its body.
	Allow func(r *http.Request) bool
}

// Gate refuses writes while no term is valid. Make one with [New]. It is safe for concurrent use,
// takes no lock, and starts no goroutine.
type Gate struct {
	terms  Terms
	scope  string
	stamps map[schema.GroupResource]bool
	allow  func(*http.Request) bool
}

// New returns a gate. It fails if a field of c is not as documented.
func New(c Config) (*Gate, error) {
	var errs []error
	g := &Gate{terms: c.Terms, stamps: map[schema.GroupResource]bool{}, allow: c.Allow}
	if elector, is := c.Terms.(*singleton.Elector); c.Terms == nil || is && elector == nil {
		errs = append(errs, errors.New("writegate: Config.Terms is nil, must be an elector"))
	} else if g.scope = c.Terms.Scope(); fencing.ValidateScope(g.scope) != nil {
		errs = append(errs, fmt.Errorf("writegate: Config.Terms.Scope(): %w",
			fencing.ValidateScope(g.scope)))
	}
	for i, resource := range c.Stamp {
		if resource.Resource == "" || strings.ContainsAny(resource.Resource, "/*") {
			errs = append(errs, fmt.Errorf("writegate: Config.Stamp[%d] is %q,"+
				" must be the plural name of a resource, without subresource or *",
				i, resource.Resource))
		}
		g.stamps[resource] = true
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return g, nil
}

// Stamped returns the resources whose writes get a token, for [kubefence.Policy.Resources]. They
// are sorted.
func (g *Gate) Stamped() []schema.GroupResource {
	return slices.SortedFunc(maps.Keys(g.stamps), func(a, b schema.GroupResource) int {
		return strings.Compare(a.String(), b.String())
	})
}

// Wrap returns a copy of config whose clients write through the gate. config stays as it is: make
// the elector's own client from config. The gate sits inside all other wrappers of config, right in
// front of the transport. So if a wrapper repeats a request, the gate sees each attempt.
func (g *Gate) Wrap(config *rest.Config) *rest.Config {
	gated := rest.CopyConfig(config)
	prefix := prefixOf(config.Host)
	gated.WrapTransport = transport.Wrappers(func(next http.RoundTripper) http.RoundTripper {
		return &gatedTransport{gate: g, next: next, prefix: prefix}
	}, config.WrapTransport)
	return gated
}

// Transport returns a transport that sends requests through the gate and then on to next. Use it
// where there is no rest.Config. If something repeats requests, put it around the returned
// transport, not into next. Otherwise the gate sees only the first attempt. The API server's paths
// must begin with /api or /apis.
func (g *Gate) Transport(next http.RoundTripper) http.RoundTripper {
	return &gatedTransport{gate: g, next: next}
}

// prefixOf is the path below which host has an API server: "" for most.
func prefixOf(host string) string {
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	u, err := url.Parse(host)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.Path, "/")
}
