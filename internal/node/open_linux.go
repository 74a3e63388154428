package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotseat-go/hotseat/internal/controlplane"
	"github.com/hotseat-go/hotseat/internal/fromsource"
)

// Files in the folder of a cluster that is open.
const (
	kubeconfigFile = "kubeconfig"
	ownerFile      = "owner" // the process id
)

// Open lets programs of this machine reach the API server, by a port of the loopback address. It
// returns the kubeconfig file of an administrator, and what ends it.
func (c *Cluster) Open(ctx context.Context) (kubeconfig string, end func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	config := c.plane.AdminConfig()
	config.Host = "https://" + listener.Addr().String()
	text, err := c.plane.Kubeconfig("outside", config)
	if err == nil {
		kubeconfig = filepath.Join(c.dir, kubeconfigFile)
		err = errors.Join(os.Rename(text, kubeconfig), os.WriteFile(
			filepath.Join(c.dir, ownerFile), []byte(strconv.Itoa(os.Getpid())), 0o600))
	}
	if err != nil {
		return "", nil, errors.Join(err, listener.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() { relay(ctx, listener, c.fabric.api) })
	return kubeconfig, func() {
		cancel()
		_ = listener.Close()
		all.Wait()
	}, nil
}

// relay passes each connection on to the API server, until ctx ends and the listener is closed.
func relay(ctx context.Context, listener net.Listener, to *space) {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		all.Go(func() {
			defer near.Close() //nolint:errcheck // nobody could be told
			far, err := to.dial(ctx, "tcp", apiAddress+":443")
			if err != nil {
				return
			}
			defer far.Close() //nolint:errcheck // nobody could be told
			end := context.AfterFunc(ctx, func() { _, _ = near.Close(), far.Close() })
			defer end()
			var both sync.WaitGroup
			for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
				both.Go(func() {
					_, _ = io.Copy(pair[0], pair[1])
					_ = pair[0].(*net.TCPConn).CloseWrite()
				})
			}
			both.Wait()
		})
	}
}

// runs is the folder of this checkout's clusters.
func runs(ctx context.Context) (string, error) {
	root, err := fromsource.Folder(ctx, "github.com/hotseat-go/hotseat", "-m")
	return filepath.Join(root, ".cache", "node", "run"), err
}

// Down ends the clusters of this checkout that are open, and cleans up after those that were
// killed.
func Down(ctx context.Context) error {
	dir, err := runs(ctx)
	if err != nil {
		return err
	}
	owners, err := filepath.Glob(filepath.Join(dir, "*", ownerFile))
	if err != nil {
		return err
	}
	for _, path := range owners {
		if err := endOwner(ctx, path); err != nil {
			return err
		}
	}
	n, err := sweep(ctx, dir)
	if err == nil && n+len(owners) == 0 {
		fmt.Println("there was none")
	}
	return err
}

// endOwner tells the process of a cluster to end, and waits until its folder is gone.
func endOwner(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		return fmt.Errorf("node: %s: %w", path, err)
	}
	if lives(filepath.Dir(path)) {
		if err := unix.Kill(pid, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("node: SIGTERM to %d: %w", pid, err)
		}
	}
	for lives(filepath.Dir(path)) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// ExecKubectl becomes kubectl, as the administrator of the cluster of this checkout that is open.
func ExecKubectl(ctx context.Context, args []string) error {
	dir, err := runs(ctx)
	if err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", kubeconfigFile))
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return fmt.Errorf("node: %d clusters are up in %s, not one", len(found), dir)
	}
	b, err := controlplane.Build(ctx, controlplane.Newest, os.Stderr)
	if err != nil {
		return err
	}
	env := append(os.Environ(), "KUBECONFIG="+found[0])
	return syscall.Exec(b.Kube, append([]string{"kubectl"}, append([]string{"kubectl"}, args...)...), env)
}
