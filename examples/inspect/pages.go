package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/hotseat-go/hotseat/singleton/statuspage"
)

// pageFlags say where the replicas' status pages are: package statuspage.
type pageFlags struct {
	urls     []string
	selector string
	port     uint16
	path     string
}

func (f *pageFlags) add(set *pflag.FlagSet) {
	set.StringSliceVar(&f.urls, "url", nil, "URL of a replica's status page, instead of those of its Pods; repeat it")
	set.StringVarP(&f.selector, "selector", "l", "", "labels of the replicas' Pods (default: those of the holder's Pod)")
	set.Uint16Var(&f.port, "port", 8080, "port of the status page in each Pod")
	set.StringVar(&f.path, "path", "/status", "path of the status page in each Pod")
}

func (f *pageFlags) check() error {
	for _, page := range f.urls {
		if u, err := url.Parse(page); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return misused("--url is %q, must be http://HOST/PATH or https://HOST/PATH", page)
		}
	}
	if _, err := labels.Parse(f.selector); err != nil {
		return misused("--selector: %v", err)
	}
	if f.port == 0 || !strings.HasPrefix(f.path, "/") {
		return misused("--port must be 1 to 65535, and --path must begin with /")
	}
	return nil
}

// known reports whether the replicas are known without a holder.
func (f *pageFlags) known() bool { return len(f.urls) > 0 || f.selector != "" }

// page is a replica's account of its election, or why there is none.
type page struct {
	source string // a Pod or a URL
	status statuspage.Status
	err    error
}

// maxPage is more than any page has: ten terms and some guards.
const maxPage = 1 << 20

// read gets the pages of a Lease's replicas, side by side. holder is the Lease's, for its Pod's
// labels. The error says why there are none at all.
func (f *pageFlags) read(ctx context.Context, c *call, namespace, holder string) ([]page, error) {
	get := map[string]func(context.Context) ([]byte, error){}
	var order []string
	for _, u := range f.urls {
		order = append(order, u)
		get[u] = func(ctx context.Context) ([]byte, error) { return fetch(ctx, u) }
	}
	if len(f.urls) == 0 {
		pods, err := f.pods(ctx, c, namespace, holder)
		if err != nil {
			return nil, err
		}
		for _, pod := range pods {
			order = append(order, pod.Name)
			get[pod.Name] = func(ctx context.Context) ([]byte, error) { return f.proxied(ctx, c, &pod) }
		}
	}
	pages := make([]page, len(order))
	var all sync.WaitGroup
	for i, source := range order {
		all.Go(func() {
			asked, cancel := c.asked(ctx)
			defer cancel()
			p := page{source: source}
			var body []byte
			if body, p.err = get[source](asked); p.err == nil {
				p.status, p.err = parsePage(body)
			}
			pages[i] = p
		})
	}
	all.Wait()
	return pages, nil
}

func (f *pageFlags) pods(ctx context.Context, c *call, namespace, holder string) ([]corev1.Pod, error) {
	if f.selector != "" {
		return c.pods(ctx, namespace, f.selector)
	}
	if holder == "" {
		return nil, errors.New("nobody holds the Lease, so its Pods are not known: name them with --selector")
	}
	pod, err := c.pod(ctx, namespace, holder)
	if err != nil {
		return nil, err
	}
	return c.replicas(ctx, pod)
}

// proxied reads a Pod's page through the API server.
func (f *pageFlags) proxied(ctx context.Context, c *call, pod *corev1.Pod) ([]byte, error) {
	body, err := c.client.CoreV1().RESTClient().Get().Namespace(pod.Namespace).Resource("pods").
		Name(fmt.Sprintf("%s:%d", pod.Name, f.port)).SubResource("proxy").Suffix(f.path).
		SetHeader("Accept", "application/json").DoRaw(ctx)
	w := what{verb: "get", resource: "pods/proxy", namespace: pod.Namespace, name: pod.Name}
	return body, c.failed(context.WithoutCancel(ctx), w, err)
}

// fetch reads the page at a URL. The URL may hold a password: no error shows it.
func fetch(ctx context.Context, page string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, http.NoBody)
	if err != nil {
		return nil, bare(err)
	}
	request.Header.Set("Accept", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, bare(err)
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answers %s", response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxPage))
}

func parsePage(body []byte) (s statuspage.Status, err error) {
	if err := json.Unmarshal(body, &s); err != nil {
		return s, fmt.Errorf("is no status page of hotseat: %w", err)
	}
	if s.Identity == "" || s.Name == "" {
		return s, errors.New("is no status page of hotseat: it names no replica or no Lease")
	}
	return s, nil
}

// own takes out the pages that could not be read or are of another Lease, and says why.
func own(pages []page, namespace, name string) (read []page, notes []string) {
	for _, p := range pages {
		switch {
		case p.err != nil:
			notes = append(notes, fmt.Sprintf("no status page of %s: %v", shown(p.source), p.err))
		case p.status.Namespace != namespace || p.status.Name != name:
			notes = append(notes, fmt.Sprintf("%s is a replica of another Lease, %s/%s", shown(p.source),
				p.status.Namespace, p.status.Name))
		default:
			read = append(read, p)
		}
	}
	return read, notes
}

// name is the replica's, in its own words.
func (p page) name() string { return podOf(p.status.Identity) }

// shown is a source without a password.
func shown(source string) string {
	if u, err := url.Parse(source); err == nil && u.Scheme != "" {
		return u.Redacted()
	}
	return source
}
