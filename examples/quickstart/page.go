package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/statuspage"
)

// viewerWait is how long the story waits for somebody to open the page.
const viewerWait = time.Minute

// servePage serves the page of all replicas, if it is asked for. The story waits for a viewer.
func (s *story) servePage() error {
	if s.listen == "" {
		return nil
	}
	opened := make(chan struct{})
	var once sync.Once
	page := statuspage.SideBySide(s.pages)
	url, stop, err := serveHTTP(s.listen, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(opened) })
		page.ServeHTTP(w, r)
	}))
	if err != nil {
		return fmt.Errorf("serving the page: %w", err)
	}
	s.cleanups = append(s.cleanups, stop)
	s.opened, s.template.Page = opened, true
	s.announce("Open %s in a browser: the story begins then, or in a minute.", url)
	return nil
}

// pages are the URLs of the replicas' own pages, of each name the last one that was reported.
func (s *story) pages() (urls []string) {
	events, _ := s.journal.since(0)
	last := map[string]string{}
	for _, e := range events {
		if e.Kind == kindPage {
			last[e.Replica] = e.Text
		}
	}
	for _, name := range names() {
		if url := last[name]; url != "" {
			urls = append(urls, url)
		}
	}
	return urls
}

// awaitViewer returns when somebody has opened the page, or has not for a while.
func (s *story) awaitViewer(ctx context.Context) error {
	if s.opened == nil {
		return nil
	}
	timer := time.NewTimer(viewerWait)
	defer timer.Stop()
	select {
	case <-s.opened:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// servePage serves a replica's own page, and reports where. stop ends that.
func (r *replica) servePage(elector *singleton.Elector) (stop func() error, err error) {
	url, stop, err := serveHTTP("127.0.0.1:0", statuspage.Handler(elector))
	if err != nil {
		return nil, err
	}
	r.report(event{Kind: kindPage, Text: url})
	return stop, nil
}

// serveHTTP serves h until stop is called.
func serveHTTP(address string, h http.Handler) (url string, stop func() error, err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	return "http://" + listener.Addr().String() + "/", func() error {
		defer serving.Wait()
		return server.Close()
	}, nil
}
