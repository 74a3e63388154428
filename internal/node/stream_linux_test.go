package node

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/reach"
)

// open is a stream of the active's.
type open struct {
	conn net.Conn
	done chan streamEnd
}

type streamEnd struct {
	last time.Time // the last that came of it
	at   time.Time
	text string
}

// openStream opens one by a Service.
func openStream(t *testing.T, inside *Inside, service string) *open {
	t.Helper()
	o := &open{done: make(chan streamEnd, 1)}
	began := make([]byte, 4<<10)
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		conn, err := inside.Dial(ctx, "tcp", service)
		if err != nil {
			return false
		}
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = fmt.Fprintf(conn, "GET /stream HTTP/1.1\r\nHost: %s\r\n\r\n", service)
		n, err := conn.Read(began)
		if err != nil || !strings.HasPrefix(string(began[:n]), "HTTP/1.1 200 ") {
			_ = conn.Close()
			return false
		}
		_ = conn.SetDeadline(time.Time{})
		o.conn = conn
		return true
	}, endurance, reach.Every, "no stream")
	t.Cleanup(func() { _ = o.conn.Close() })
	go func() { // ends with the connection
		end := streamEnd{last: time.Now()}
		for buffer := make([]byte, 4<<10); ; {
			n, err := o.conn.Read(buffer)
			if err != nil {
				end.at = time.Now()
				o.done <- end
				return
			}
			end.last, end.text = time.Now(), end.text+string(buffer[:n])
			end.text = end.text[max(0, len(end.text)-5):]
		}
	}()
	return o
}

// wait waits for the end of it, which must not look like that of a whole body.
func (o *open) wait(t *testing.T) streamEnd {
	t.Helper()
	select {
	case end := <-o.done:
		require.NotEqual(t, "0\r\n\r\n", end.text, "a stream that was cut looks complete")
		return end
	case <-time.After(endurance):
		require.Fail(t, "the old active's stream is still open")
		return streamEnd{}
	}
}
