package apiserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

// Listen serves the cluster over HTTP on a free loopback port until Close and
// returns its URL; further calls return the same one. Not for use in a
// [testing/synctest] bubble: sockets stop its clock.
func (c *Cluster) Listen() (url string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return "", errors.New("apiserver: listen: the cluster is closed")
	}
	if c.server != nil {
		return c.url, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("apiserver: listen: %w", err)
	}
	c.url = "http://" + l.Addr().String()
	c.server = &http.Server{
		Handler:           c,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // broken connections are the point
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
	}
	server := c.server
	c.running.Go(func() { _ = server.Serve(l) })
	return c.url, nil
}

// LoopbackConfig returns a configuration for a client that reaches the cluster
// over loopback under the given name; it calls Listen. Other processes need its
// Host and BearerToken.
func (c *Cluster) LoopbackConfig(name string) (*rest.Config, error) {
	url, err := c.Listen()
	if err != nil {
		return nil, err
	}
	return &rest.Config{Host: url, BearerToken: name, QPS: -1}, nil
}
