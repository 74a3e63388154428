package route

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/lease"
)

// The environment variables that name this replica's Pod; see [Pod].
const (
	envName      = "POD_NAME"
	envNamespace = "POD_NAMESPACE"
	envUID       = "POD_UID"
	envIPs       = "POD_IPS"
	envIP        = "POD_IP"
	envNode      = "NODE_NAME"
)

const (
	defaultRecheck = 30 * time.Second
	leastRecheck   = time.Second
)

// Client is what a [Router] needs of a client. A *singleton.Client fits, and so does the client of
// any API group in client-go's clientset, such as clientset.CoreV1(). The client should have no
// rate limiter that others use up, and no Timeout.
type Client interface{ RESTClient() rest.Interface }

// Pod is this replica's Pod. An empty field is taken from the environment, which the downward API
// sets:
//
//	Namespace  $POD_NAMESPACE  metadata.namespace
//	Name       $POD_NAME       metadata.name
//	UID        $POD_UID        metadata.uid
//	IPs        $POD_IPS        status.podIPs; else $POD_IP, status.podIP
//	Node       $NODE_NAME      spec.nodeName
//
// IPs and Node are for [BySlice] only. There may be one address of each family. Node may be empty.
type Pod struct {
	Namespace string
	Name      string
	UID       types.UID
	IPs       []netip.Addr
	Node      string
}

// Options are common to [ByLabel] and [BySlice]. The zero value is ready to use if the environment
// names the Pod.
type Options struct {
	// Pod is this replica's Pod.
	Pod Pod

	// AwaitReady publishes the address only when work calls [Ready]. By default it is published as
	// soon as work is called.
	AwaitReady bool

	// AtEnd is what becomes of the address when the term ends. Default: [Remove].
	AtEnd AtEnd

	// Required gives the term up ([singleton.Term.Resign]) if the address cannot be published for a
	// reason that only a person can mend: [ErrRefused], [ErrSuperseded] or [ErrSetup]. By default work
	// goes on without traffic, and the Router tries again each Recheck.
	Required bool

	// Recheck is how often the active replica checks that it still has the traffic, and restores it if
	// not. Somebody may have edited a label by hand. Zero means 30 s; the least is 1 s.
	Recheck time.Duration

	// OnError, if set, is called when publishing or withdrawing fails. While the failure lasts, it is
	// called again only when the kind of error changes: [ErrRefused], [ErrSuperseded], [ErrSetup], or
	// none of these. It must not block.
	OnError func(error)

	// Logger gets the same failures, and each publication and withdrawal. Nil means slog.Default().
	Logger *slog.Logger
}

// AtEnd is what becomes of the published address at the end of a term.
type AtEnd int

const (
	// Remove takes the address away before the Lease is released. It tries for at most three quarters
	// of the stop budget ([singleton.Term.StopBudget]).
	Remove AtEnd = iota

	// Drain is for [BySlice]. If the term is still valid, the address stays until the next active
	// replica replaces it. Meanwhile its conditions are ready=false, serving=true and
	// terminating=true. kube-proxy sends new connections to such an address while there is no ready
	// one.
	Drain

	// Leave leaves the address as it is, until the next active replica replaces it. Data planes that
	// pause between two changes, as kube-proxy does for a second, then have one change to make instead
	// of two. Until then clients reach a replica that is not active: it has to refuse them, as
	// singleton/serving does.
	Leave
)

// refuse is called with each field that breaks a rule.
type refuse func(field string, value any, rule string)

// checked fills in defaults.
func (o Options) checked(addresses bool, refuse refuse) Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.AtEnd < Remove || o.AtEnd > Leave || o.AtEnd == Drain && !addresses {
		refuse("AtEnd", int(o.AtEnd), "must be Remove or Leave, or Drain for BySlice")
	}
	switch {
	case o.Recheck == 0:
		o.Recheck = defaultRecheck
	case o.Recheck < leastRecheck:
		refuse("Recheck", o.Recheck, fmt.Sprintf("must be at least %v", leastRecheck))
	}
	o.Pod.Namespace = cmp.Or(o.Pod.Namespace, os.Getenv(envNamespace))
	o.Pod.Name = cmp.Or(o.Pod.Name, os.Getenv(envName))
	o.Pod.UID = cmp.Or(o.Pod.UID, types.UID(os.Getenv(envUID)))
	o.Pod.Node = cmp.Or(o.Pod.Node, os.Getenv(envNode))
	for _, needed := range []struct{ field, value, env, path string }{
		{"Pod.Namespace", o.Pod.Namespace, envNamespace, "metadata.namespace"},
		{"Pod.Name", o.Pod.Name, envName, "metadata.name"},
		{"Pod.UID", string(o.Pod.UID), envUID, "metadata.uid"},
	} {
		if needed.value == "" {
			refuse(needed.field, "", fmt.Sprintf("must be set here or in $%s (downward API: fieldPath %s)",
				needed.env, needed.path))
		}
	}
	for field, name := range map[string]string{
		"Pod.Namespace": o.Pod.Namespace, "Pod.Name": o.Pod.Name,
	} {
		for _, problem := range validation.IsDNS1123Subdomain(name) {
			if name != "" {
				refuse(field, name, "must be a name: "+problem)
			}
		}
	}
	if addresses {
		o.Pod.IPs = o.Pod.addresses(refuse)
	}
	return o
}

// addresses are those of the Pod, at most one of each family.
func (p Pod) addresses(refuse refuse) []netip.Addr {
	ips := slices.Clone(p.IPs)
	if len(ips) == 0 {
		for text := range strings.SplitSeq(cmp.Or(os.Getenv(envIPs), os.Getenv(envIP)), ",") {
			if text = strings.TrimSpace(text); text == "" {
				continue
			}
			ip, err := netip.ParseAddr(text)
			if err != nil {
				refuse("Pod.IPs", text, "must be addresses, separated by commas: "+err.Error())
				continue
			}
			ips = append(ips, ip)
		}
	}
	if len(ips) == 0 {
		refuse("Pod.IPs", "", fmt.Sprintf(
			"must be set here or in $%s (downward API: fieldPath status.podIPs)", envIPs))
	}
	seen := map[family]bool{}
	for i, ip := range ips {
		ips[i] = ip.Unmap().WithZone("")
		family := familyOf(ips[i])
		if !ip.IsValid() || seen[family] {
			refuse("Pod.IPs", ip.String(), "must be valid, and one of each family at most")
		}
		seen[family] = true
	}
	return ips
}

// LabelConfig of [ByLabel]. Only Pods is required.
type LabelConfig struct {
	Options

	// Pods is a label selector for the Pods of all replicas, such as "app=invoicer". It must not name
	// Key. The Service selects the same Pods, and Key=active.
	Pods string

	// Key of the label. Default: [DefaultKey]. If the Pods are candidates for several Leases, each of
	// these Leases needs its own key.
	Key string
}

// DefaultKey is the key of the label on the active replica's Pod.
const DefaultKey = lease.Domain + "role"

// Active is the value of the label on the active replica's Pod.
const Active = "active"

// maxKey leaves room for the mark's suffix in the name of the annotation.
const maxKey = 63 - len(markSuffix)

func (c LabelConfig) checked(errs ...error) (LabelConfig, error) {
	add := func(field string, value any, rule string) {
		errs = append(errs, &lease.FieldError{Field: field, Value: value, Rule: rule})
	}
	c.Options = c.Options.checked(false, add)
	c.Key = cmp.Or(c.Key, DefaultKey)
	for _, problem := range validation.IsQualifiedName(c.Key) {
		add("Key", c.Key, "must be a label's key: "+problem)
	}
	if name := c.Key[strings.LastIndexByte(c.Key, '/')+1:]; len(name) > maxKey {
		add("Key", c.Key, fmt.Sprintf("must have at most %d characters behind the slash", maxKey))
	}
	selector, err := labels.Parse(c.Pods)
	switch {
	case err != nil:
		add("Pods", c.Pods, "must be a label selector: "+err.Error())
	case selector.Matches(labels.Set{}):
		add("Pods", c.Pods, "must select Pods by a label that they have, as app=invoicer does")
	default:
		requirements, _ := selector.Requirements()
		for _, r := range requirements {
			if r.Key() == c.Key {
				add("Pods", c.Pods,
					"must not name the key "+c.Key+": it selects all replicas, not only the active")
			}
		}
	}
	return c, joined(errs)
}

// SliceConfig of [BySlice]. Only Service is required.
type SliceConfig struct {
	Options

	// Service is the name of a Service without a selector, in the namespace of the Pod.
	Service string

	// Ports of the Pod that take the traffic. Each has the name of the Service's port. If Ports is
	// empty, the ports are read from the Service. That needs the right to get the Service, and each
	// targetPort there must be a number or be left out.
	Ports []Port
}

// Port of the Pod.
type Port struct {
	Name        string // of the Service's port; empty if it has one port without a name
	Protocol    string // TCP, UDP or SCTP; default TCP
	Port        int32  // on the Pod: the Service's targetPort
	AppProtocol string // as in the Service; may be empty
}

func (c SliceConfig) checked(errs ...error) (SliceConfig, error) {
	add := func(field string, value any, rule string) {
		errs = append(errs, &lease.FieldError{Field: field, Value: value, Rule: rule})
	}
	c.Options = c.Options.checked(true, add)
	if problems := validation.IsDNS1035Label(c.Service); len(problems) > 0 {
		add("Service", c.Service, "must name a Service: "+strings.Join(problems, "; "))
	}
	c.Ports = slices.Clone(c.Ports)
	names := map[string]bool{}
	for i := range c.Ports {
		p := &c.Ports[i]
		field := fmt.Sprintf("Ports[%d]", i)
		p.Protocol = cmp.Or(p.Protocol, "TCP")
		if !slices.Contains([]string{"TCP", "UDP", "SCTP"}, p.Protocol) {
			add(field+".Protocol", p.Protocol, "must be TCP, UDP or SCTP")
		}
		if p.Port < 1 || p.Port > 65535 {
			add(field+".Port", p.Port, "must be 1 to 65535")
		}
		if names[p.Name] {
			add(field+".Name", p.Name, "must differ from the names of the other ports")
		}
		if problems := validation.IsDNS1123Label(p.Name); p.Name != "" && len(problems) > 0 {
			add(field+".Name", p.Name, "must name a port of the Service: "+strings.Join(problems, "; "))
		}
		names[p.Name] = true
	}
	return c, joined(errs)
}

func joined(errs []error) error {
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("route: config: %w", err)
	}
	return nil
}
