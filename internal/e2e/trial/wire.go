//go:build unix

package trial

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// Wire is one replica's way to the API server: a TCP proxy on loopback that can
// fail. TLS passes through it. Its methods are not safe for concurrent use with
// each other.
type Wire struct{ proxy *toxiproxy.Proxy }

// NewWire starts a wire to an address, host:port. Close it.
func NewWire(name, upstream string) (*Wire, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	w := &Wire{toxiproxy.NewProxy(server, name, "127.0.0.1:0", upstream)}
	return w, w.proxy.Start()
}

// Address is where to connect to: host:port.
func (w *Wire) Address() string { return w.proxy.Listen }

// Cut breaks every connection and refuses new ones, until Mend.
func (w *Wire) Cut() { w.proxy.Stop() }

// Mend is the end of Cut.
func (w *Wire) Mend() error { return w.proxy.Start() }

// BlackHole takes whatever is sent, both ways, and says nothing, until Heal.
// Connections can be made, and stay.
func (w *Wire) BlackHole() error { return w.impair("timeout", 0, "upstream", "downstream") }

// Delay has everything take d longer, each way.
func (w *Wire) Delay(d time.Duration) error { return w.impair("latency", d, "upstream", "downstream") }

// AnswerLate delivers requests at once and what the server says d later.
func (w *Wire) AnswerLate(d time.Duration) error { return w.impair("latency", d, "downstream") }

// Heal is the end of BlackHole, Delay and AnswerLate: what was delayed comes,
// and connections that lost something break.
func (w *Wire) Heal() { w.proxy.Toxics.ResetToxics(context.Background()) }

// Close breaks every connection and ends the proxy.
func (w *Wire) Close() { w.proxy.Stop() }

func (w *Wire) impair(kind string, d time.Duration, streams ...string) error {
	for _, stream := range streams {
		toxic := fmt.Sprintf(`{"type": %q, "stream": %q, "attributes": {%q: %d}}`, kind, stream, kind, d.Milliseconds())
		if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			return fmt.Errorf("trial: %s: %w", kind, err)
		}
	}
	return nil
}
