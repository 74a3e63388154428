package node

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// space is a network namespace that exists as long as this process holds it.
type space struct {
	ns   netns.NsHandle
	link *netlink.Handle
}

// newSpace makes one whose loopback is up.
func newSpace() (*space, error) {
	s := &space{}
	err := onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("node: a network namespace: %w", err)
		}
		s.ns, err = netns.Get()
		return err
	})
	if err != nil {
		return nil, err
	}
	if s.link, err = netlink.NewHandleAt(s.ns); err != nil {
		_ = s.ns.Close()
		return nil, err
	}
	if err := up(s.link, "lo"); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *space) close() {
	s.link.Close()
	_ = s.ns.Close()
}

// onThread calls f on a thread that ends with it, so that f may change what is the thread's own. It
// is never the first thread, which stands for the process in /proc and does not end.
func onThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			result <- onThread(f) // held here, so that another thread has to do it
			runtime.UnlockOSThread()
			return
		}
		result <- f() // never unlocked: the thread ends with this goroutine
	}()
	return <-result
}

// enter puts the calling thread into the namespace.
func (s *space) enter() error { return netns.Set(s.ns) }

// within calls f in the namespace. A socket that f opens stays in it.
func (s *space) within(f func() error) error {
	return onThread(func() error {
		if err := s.enter(); err != nil {
			return err
		}
		return f()
	})
}

// dial connects from inside.
func (s *space) dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	err = s.within(func() error {
		c, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

func (s *space) listen(address string) (l net.Listener, err error) {
	err = s.within(func() error {
		l, err = net.Listen("tcp", address)
		return err
	})
	return l, err
}

func (s *space) listenUDP(address string) (c net.PacketConn, err error) {
	err = s.within(func() error {
		c, err = net.ListenPacket("udp", address)
		return err
	})
	return c, err
}

// forward has the namespace pass on packets that are for others.
func (s *space) forward() error { return s.within(forwardHere) }

func forwardHere() error {
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

// up sets a link up and gives it addresses.
func up(h *netlink.Handle, name string, addresses ...string) error {
	link, err := h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("node: link %s: %w", name, err)
	}
	for _, address := range addresses {
		a, err := netlink.ParseAddr(address)
		if err != nil {
			return err
		}
		if err := h.AddrAdd(link, a); err != nil {
			return fmt.Errorf("node: address %s of %s: %w", address, name, err)
		}
	}
	return h.LinkSetUp(link)
}

// addRoute has packets for a network go by a gateway.
func addRoute(h *netlink.Handle, to, gateway string) error {
	_, network, err := net.ParseCIDR(to)
	if err != nil {
		return err
	}
	if err := h.RouteReplace(&netlink.Route{Dst: network, Gw: net.ParseIP(gateway)}); err != nil {
		return fmt.Errorf("node: route to %s by %s: %w", to, gateway, err)
	}
	return nil
}
