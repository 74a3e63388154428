package node

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// The addresses of what is no node.
const (
	apiAddress = "10.99.0.1" // of the API server
	labAddress = "10.98.0.1" // of the test
	kubernetes = "10.96.0.1" // of the Service of that name, which is the API server too
	serviceIPs = "10.96.0.0/16"
	podIPs     = "10.88.0.0/16"
	bridge     = "nodes"
)

// The networks in addresses of hardware.
const (
	apiByte = 0x99
	labByte = 0x98
)

func hardware(network byte, n int) net.HardwareAddr {
	return net.HardwareAddr{2, 0, 0, 0, network, byte(n)}
}

// fabric is the two networks that connect nodes.
type fabric struct {
	api *space // with the API server
	lab *space // with the test, and the traffic of Pods
	// proxy: each node leads Services to their Pods. Else they all lead to the API server.
	proxy bool
}

func newFabric(proxy bool) (*fabric, error) {
	api, err := newSpace()
	if err != nil {
		return nil, err
	}
	lab, err := newSpace()
	if err != nil {
		api.close()
		return nil, err
	}
	f := &fabric{api, lab, proxy}
	err = errors.Join(
		api.bridge(apiAddress+"/24", apiByte),
		lab.bridge(labAddress+"/24", labByte), lab.forward(),
	)
	if !proxy {
		err = errors.Join(err, up(api.link, "lo", kubernetes+"/32"))
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *fabric) close() {
	f.api.close()
	f.lab.close()
}

// bridge makes the network's bridge. Its hardware's address is given: one of its own choice would
// change when a node is unplugged, and the others would look for it at the old one for half a
// minute.
func (s *space) bridge(address string, network byte) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = bridge, hardware(network, 0)
	if err := s.link.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
		return fmt.Errorf("node: a bridge: %w", err)
	}
	return up(s.link, bridge, address)
}

// Addresses of node n.
func apiOf(n int) string  { return fmt.Sprintf("10.99.0.%d", 10+n) }
func labOf(n int) string  { return fmt.Sprintf("10.98.0.%d", 10+n) }
func podsOf(n int) string { return fmt.Sprintf("10.88.%d.0/24", n) }
func nameOf(n int) string { return fmt.Sprintf("node-%d", n) }

// plugIn connects node n, whose process 1 is pid here, to both networks.
func (f *fabric) plugIn(n, pid int) error {
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return fmt.Errorf("node: %s: %w", nameOf(n), err)
	}
	defer ns.Close() //nolint:errcheck // only read from
	inside, err := netlink.NewHandleAt(ns)
	if err != nil {
		return err
	}
	defer inside.Close()
	if err := up(inside, "lo"); err != nil {
		return err
	}
	if err := f.api.cable(n, pid, "api", apiByte); err != nil {
		return err
	}
	if err := f.lab.cable(n, pid, "lab", labByte); err != nil {
		return err
	}
	err = errors.Join(
		up(inside, "api", apiOf(n)+"/24"), up(inside, "lab", labOf(n)+"/24"),
		addRoute(inside, "0.0.0.0/0", labAddress),
		addRoute(f.api.link, podsOf(n), apiOf(n)), addRoute(f.lab.link, podsOf(n), labOf(n)),
	)
	if !f.proxy {
		err = errors.Join(err, addRoute(inside, serviceIPs, apiAddress))
	}
	return err
}

// cable connects a node to this network's bridge. A node that lost power may have left one: its end
// goes some time after the node. The hardware's address is the node's for good, so that nobody has
// to find out a new one.
func (s *space) cable(n, pid int, name string, network byte) error {
	s.unplug(n)
	hub, err := s.link.LinkByName(bridge)
	if err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MasterIndex = nameOf(n), hub.Attrs().Index
	veth := &netlink.Veth{
		LinkAttrs: attrs, PeerName: name, PeerNamespace: netlink.NsPid(pid),
		PeerHardwareAddr: hardware(network, n),
	}
	if err := s.link.LinkAdd(veth); err != nil {
		return fmt.Errorf("node: the cable of %s to %s: %w", nameOf(n), name, err)
	}
	return up(s.link, nameOf(n))
}

func (s *space) unplug(n int) {
	if old, err := s.link.LinkByName(nameOf(n)); err == nil {
		_ = s.link.LinkDel(old)
	}
}

// cut has every packet between node n and this network be lost, or no longer.
func (s *space) cut(n int, lost bool) error {
	link, err := s.link.LinkByName(nameOf(n))
	if err != nil {
		return fmt.Errorf("node: the cable of %s: %w", nameOf(n), err)
	}
	if lost {
		return s.link.LinkSetDown(link)
	}
	return s.link.LinkSetUp(link)
}
