package route

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/apiclient"
	"github.com/hotseat-go/hotseat/lease"
)

const (
	discovery = "/apis/discovery.k8s.io/v1"

	// sliceMark is the annotation with a slice's mark.
	sliceMark = lease.Domain + "term"
	managedBy = "hotseat-go.github.io"
)

// family of an address, as EndpointSlices name it.
type family string

const (
	ipv4 family = "IPv4"
	ipv6 family = "IPv6"
)

func familyOf(ip netip.Addr) family {
	if ip.Is4() {
		return ipv4
	}
	return ipv6
}

// BySlice returns a [Router] that keeps one EndpointSlice of a Service for each family of
// addresses: NAME-active-ipv4 and NAME-active-ipv6 for the Service NAME. It makes no request. The
// error joins a [*lease.FieldError] for each broken rule.
func BySlice(client Client, config SliceConfig) (*Router, error) {
	api, err := apiclient.New(client, answerWithin)
	config, err = config.checked(err)
	if err != nil {
		return nil, err
	}
	return &Router{options: config.Options, way: &bySlice{config: config, api: api}}, nil
}

// SliceNames returns the names of the EndpointSlices that [BySlice] keeps for a Service. They are
// for the resourceNames of a Role.
func SliceNames(service string) []string {
	return []string{service + "-active-ipv4", service + "-active-ipv6"}
}

// bySlice is the way by EndpointSlices.
type bySlice struct {
	config SliceConfig
	api    apiclient.Client
}

func (s *bySlice) String() string { return "the EndpointSlice of Service " + s.config.Service }

func (s *bySlice) settle(ctx context.Context, t term, own fencing.Token, open bool) error {
	ports, err := s.ports(ctx)
	if err != nil {
		return err
	}
	return repeat(ctx, func() (bool, error) { return s.round(ctx, t, own, open, ports) })
}

// round brings the slices one step closer, as the label's round does. Where there are two, both are
// claimed before one is published: so no two replicas are published at once.
func (s *bySlice) round(
	ctx context.Context, t term, own fencing.Token, open bool, ports []port,
) (done bool, err error) {
	var stored []*endpointSlice
	claimed, alone := true, true
	for _, f := range []family{ipv4, ipv6} {
		slice, err := s.get(ctx, f)
		if err == nil && slice != nil {
			mark := slice.Metadata.Annotations[sliceMark]
			_, err = judged(own, "EndpointSlice "+s.name(f), sliceMark, mark)
		}
		if err != nil {
			return true, err
		}
		stored = append(stored, slice)
		claimed = claimed && (slice == nil && s.address(f) == "" || slice.bears(own))
		alone = alone && (slice == nil || s.address(f) != "") && len(s.config.Pod.IPs) == 1
	}
	for i, f := range []family{ipv4, ipv6} {
		if stored[i] == nil && s.address(f) == "" {
			continue
		}
		want := s.wanted(f, own, stored[i], open && (claimed || alone), ports)
		if stored[i].equal(want) {
			continue
		}
		if !t.Valid() {
			return true, errOver
		}
		err := s.put(ctx, f, stored[i], want)
		if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
			return false, nil
		}
		if err != nil {
			return true, wrapped("write EndpointSlice "+s.name(f), err)
		}
	}
	return !open || claimed || alone, nil
}

// bears reports whether the slice has own's mark.
func (e *endpointSlice) bears(own fencing.Token) bool {
	return e != nil && e.Metadata.Annotations[sliceMark] == own.String()
}

// get returns the slice of a family, nil if there is none.
func (s *bySlice) get(ctx context.Context, f family) (*endpointSlice, error) {
	slice, err := apiclient.Get[endpointSlice](ctx, s.api, s.slice(s.name(f)))
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // there is none
	}
	return slice, wrapped("look at EndpointSlice "+s.name(f), err)
}

func (s *bySlice) name(f family) string {
	return SliceNames(s.config.Service)[map[family]int{ipv4: 0, ipv6: 1}[f]]
}

func (s *bySlice) path(group, resource, name string) apiclient.Path {
	return apiclient.Path{
		Group: group, Namespace: s.config.Pod.Namespace, Resource: resource, Name: name,
	}
}

// slice is the path of a slice, or of all.
func (s *bySlice) slice(name string) apiclient.Path {
	return s.path(discovery, "endpointslices", name)
}

// address of the Pod in a family; empty if it has none.
func (s *bySlice) address(f family) string {
	for _, ip := range s.config.Pod.IPs {
		if familyOf(ip) == f {
			return ip.String()
		}
	}
	return ""
}

// wanted is what the slice is to be. If it is not open, it keeps no address that is ready.
func (s *bySlice) wanted(
	f family, own fencing.Token, stored *endpointSlice, open bool, ports []port,
) *endpointSlice {
	want := &endpointSlice{
		APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice", AddressType: f,
		Endpoints: []endpoint{}, Ports: ports,
	}
	want.Metadata.Name = s.name(f)
	want.Metadata.Labels = map[string]string{
		"kubernetes.io/service-name":             s.config.Service,
		"endpointslice.kubernetes.io/managed-by": managedBy,
	}
	want.Metadata.Annotations = map[string]string{sliceMark: own.String()}
	switch address := s.address(f); {
	case open && address != "":
		want.Endpoints = append(want.Endpoints, s.endpoint(address, true))
	case !open && stored != nil:
		want.Endpoints = slices.DeleteFunc(slices.Clone(stored.Endpoints), func(e endpoint) bool {
			return e.Conditions.Ready == nil || *e.Conditions.Ready
		})
	}
	return want
}

// endpoint is this replica's. If it is not ready, it is draining.
func (s *bySlice) endpoint(address string, ready bool) endpoint {
	serving, draining := true, !ready
	return endpoint{
		Addresses:  []string{address},
		Conditions: conditions{Ready: &ready, Serving: &serving, Terminating: &draining},
		TargetRef: &target{
			Kind: "Pod", Namespace: s.config.Pod.Namespace, Name: s.config.Pod.Name, UID: s.config.Pod.UID,
		},
		NodeName: s.config.Pod.Node,
	}
}

// equal reports whether the stored slice has all that is wanted.
func (e *endpointSlice) equal(want *endpointSlice) bool {
	if e == nil {
		return false
	}
	for _, maps := range []struct{ has, want map[string]string }{
		{e.Metadata.Labels, want.Metadata.Labels}, {e.Metadata.Annotations, want.Metadata.Annotations},
	} {
		for key, value := range maps.want {
			if maps.has[key] != value {
				return false
			}
		}
	}
	return slices.Equal(e.Ports, want.Ports) &&
		slices.EqualFunc(e.Endpoints, want.Endpoints, sameEndpoint)
}

func sameEndpoint(a, b endpoint) bool {
	same := func(a, b *bool) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }
	return slices.Equal(a.Addresses, b.Addresses) && a.NodeName == b.NodeName &&
		(a.TargetRef == nil) == (b.TargetRef == nil) &&
		(a.TargetRef == nil || *a.TargetRef == *b.TargetRef) &&
		same(a.Conditions.Ready, b.Conditions.Ready) &&
		same(a.Conditions.Serving, b.Conditions.Serving) &&
		same(a.Conditions.Terminating, b.Conditions.Terminating)
}

// put creates the slice, or patches the version that was looked at.
func (s *bySlice) put(ctx context.Context, f family, stored, want *endpointSlice) error {
	if stored == nil {
		body := maps.Clone(want.patch())
		body["apiVersion"], body["kind"], body["addressType"] = want.APIVersion, want.Kind, f
		body["metadata"].(values)["name"] = want.Metadata.Name //nolint:forcetypeassert // made by patch
		return s.api.Create(ctx, s.slice(""), body)
	}
	body := want.patch()
	metadata := body["metadata"].(values) //nolint:forcetypeassert // made by patch
	metadata["resourceVersion"] = stored.Metadata.ResourceVersion
	return s.api.Patch(ctx, s.slice(want.Metadata.Name), types.MergePatchType, body)
}

type values map[string]any

// patch leaves alone what others have added.
func (e *endpointSlice) patch() values {
	return values{
		"metadata":  values{"labels": e.Metadata.Labels, "annotations": e.Metadata.Annotations},
		"endpoints": e.Endpoints,
		"ports":     e.Ports,
	}
}

// withdraw empties the slices of this term, or marks the address as draining. It also closes the
// mark.
func (s *bySlice) withdraw(ctx context.Context, own fencing.Token, drain bool) error {
	var errs []error
	for _, f := range []family{ipv4, ipv6} {
		if address := s.address(f); address != "" {
			errs = append(errs, s.close(ctx, f, own, address, drain))
		}
	}
	return errors.Join(errs...)
}

func (s *bySlice) close(
	ctx context.Context, f family, own fencing.Token, address string, drain bool,
) error {
	left := []endpoint{}
	if drain {
		left = append(left, s.endpoint(address, false))
	}
	err := s.api.Patch(ctx, s.slice(s.name(f)), types.JSONPatchType, []step{
		{"test", pointer("annotations", sliceMark), own.String()},
		{"replace", pointer("annotations", sliceMark), own.String() + over},
		{"add", "/endpoints", left},
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if !apierrors.IsInvalid(err) {
		return wrapped("withdraw from EndpointSlice "+s.name(f), err)
	}
	slice, err := s.get(ctx, f)
	if err == nil && slice.bears(own) {
		err = fmt.Errorf("%w: withdraw from EndpointSlice %s: its mark is right", ErrRefused, s.name(f))
	}
	return err
}
