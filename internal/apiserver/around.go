package apiserver

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// around is what packages around the elector read and write beside Leases. Of the rules for these
// objects, the server knows those for metadata, and those for addresses in an EndpointSlice. It has
// no subresources: the status of a Pod is written with the Pod.
func around() []*resource {
	return []*resource{{
		GroupVersionResource: corev1.SchemeGroupVersion.WithResource("pods"),
		kind:                 "Pod",
		singular:             "pod",
		newItem:              func() object { return &corev1.Pod{} },
		newList:              func() runtime.Object { return &corev1.PodList{} },
		unconditionalUpdate:  true,
		prepare:              func(object, object) {},
		validate: func(obj, old object) field.ErrorList {
			return validateMeta(obj, old, validation.NameIsDNSSubdomain)
		},
		fields: func(o object) fields.Set {
			pod := o.(*corev1.Pod)
			return fields.Set{
				"status.phase": string(pod.Status.Phase), "spec.nodeName": pod.Spec.NodeName,
			}
		},
	}, {
		GroupVersionResource: corev1.SchemeGroupVersion.WithResource("services"),
		kind:                 "Service",
		singular:             "service",
		newItem:              func() object { return &corev1.Service{} },
		newList:              func() runtime.Object { return &corev1.ServiceList{} },
		unconditionalUpdate:  true,
		prepare:              func(object, object) {},
		validate: func(obj, old object) field.ErrorList {
			return validateMeta(obj, old, validation.NameIsDNS1035Label)
		},
	}, {
		GroupVersionResource: discoveryv1.SchemeGroupVersion.WithResource("endpointslices"),
		kind:                 "EndpointSlice",
		singular:             "endpointslice",
		newItem:              func() object { return &discoveryv1.EndpointSlice{} },
		newList:              func() runtime.Object { return &discoveryv1.EndpointSliceList{} },
		unconditionalUpdate:  true,
		prepare:              func(object, object) {},
		validate:             validateSlice,
	}}
}

func validateMeta(obj, old object, name validation.ValidateNameFunc) field.ErrorList {
	path := field.NewPath("metadata")
	if old == nil {
		return validation.ValidateObjectMetaAccessor(obj, true, name, path)
	}
	return validation.ValidateObjectMetaAccessorUpdate(obj, old, path)
}

func validateSlice(obj, old object) field.ErrorList {
	slice := obj.(*discoveryv1.EndpointSlice)
	errs := validateMeta(obj, old, validation.NameIsDNSSubdomain)
	path := field.NewPath("addressType")
	if old != nil && old.(*discoveryv1.EndpointSlice).AddressType != slice.AddressType {
		errs = append(errs, field.Invalid(path, slice.AddressType, "field is immutable"))
	}
	for i, endpoint := range slice.Endpoints {
		at := field.NewPath("endpoints").Index(i).Child("addresses")
		if len(endpoint.Addresses) == 0 {
			errs = append(errs, field.Required(at, "must contain at least 1 address"))
		}
		for j, text := range endpoint.Addresses {
			if ip, err := netip.ParseAddr(text); err != nil || !fits(slice.AddressType, ip) {
				errs = append(errs, field.Invalid(at.Index(j), text, "must be an address of the slice's type"))
			}
		}
	}
	return errs
}

func fits(t discoveryv1.AddressType, ip netip.Addr) bool {
	switch t {
	case discoveryv1.AddressTypeIPv4:
		return ip.Is4()
	case discoveryv1.AddressTypeIPv6:
		return ip.Is6() && !ip.Is4In6()
	}
	return false
}
