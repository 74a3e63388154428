package route

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/hotseat-go/hotseat/internal/apiclient"
)

// service is what is read of a Service.
type service struct {
	Spec struct {
		Selector map[string]string `json:"selector"`
		Ports    []servicePort     `json:"ports"`
	} `json:"spec"`
}

type servicePort struct {
	Name        string          `json:"name"`
	Protocol    string          `json:"protocol"`
	Port        int32           `json:"port"`
	TargetPort  json.RawMessage `json:"targetPort"` // a number, or the name of a container's port
	AppProtocol string          `json:"appProtocol"`
}

// ports are those of the configuration, else of the Service.
func (s *bySlice) ports(ctx context.Context) ([]port, error) {
	var ports []port
	for _, p := range s.config.Ports {
		ports = append(ports, port(p))
	}
	if len(ports) > 0 {
		return ports, nil
	}
	of, err := apiclient.Get[service](ctx, s.api, s.path(core, "services", s.config.Service))
	if err != nil {
		return nil, wrapped("read the ports", err)
	}
	if len(of.Spec.Selector) > 0 {
		return nil, fmt.Errorf(
			"%w: Service %s has a selector: its other endpoints are those of all Pods that it selects",
			ErrSetup, s.config.Service)
	}
	for _, p := range of.Spec.Ports {
		number, err := p.target()
		if err != nil {
			return nil, fmt.Errorf("%w: Service %s, port %q: %w", ErrSetup, s.config.Service, p.Name, err)
		}
		ports = append(ports, port{
			Name: p.Name, Protocol: cmp.Or(p.Protocol, "TCP"), Port: number, AppProtocol: p.AppProtocol,
		})
	}
	if len(ports) == 0 {
		return nil, fmt.Errorf("%w: Service %s has no ports", ErrSetup, s.config.Service)
	}
	return ports, nil
}

// target is the number of the Pod's port.
func (p servicePort) target() (int32, error) {
	text := bytes.TrimSpace(p.TargetPort)
	if len(text) == 0 || string(text) == "null" || string(text) == "0" {
		return p.Port, nil
	}
	var number int32
	if err := json.Unmarshal(text, &number); err != nil {
		return 0, fmt.Errorf("targetPort %s must be a number, unless SliceConfig.Ports is set", text)
	}
	return number, nil
}
