//go:build unix

package trial

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echo is a server that sends back each line.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					fmt.Fprintln(conn, lines.Text())
				}
			}()
		}
	}()
	return l.Addr().String()
}

// talk is a connection through a wire.
type talk struct {
	net.Conn
	t *testing.T
}

func newTalk(t *testing.T, w *Wire) talk {
	conn, err := net.Dial("tcp", w.Address())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return talk{conn, t}
}

// says sends a line and returns the error of waiting that long for it.
func (c talk) says(patience time.Duration) error {
	if _, err := fmt.Fprintln(c, "hello"); err != nil {
		return err
	}
	require.NoError(c.t, c.SetReadDeadline(time.Now().Add(patience)))
	_, err := bufio.NewReader(c).ReadString('\n')
	return err
}

func newWire(t *testing.T) *Wire {
	w, err := NewWire(t.Name(), echo(t))
	require.NoError(t, err)
	t.Cleanup(w.Close)
	return w
}

const long = 10 * time.Second

func TestWireCut(t *testing.T) {
	w := newWire(t)
	c := newTalk(t, w)
	require.NoError(t, c.says(long))
	w.Cut()
	err := c.says(long)
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	_, err = net.Dial("tcp", w.Address())
	require.Error(t, err)
	require.NoError(t, w.Mend())
	require.NoError(t, newTalk(t, w).says(long))
}

func TestWireBlackHole(t *testing.T) {
	w := newWire(t)
	c := newTalk(t, w)
	require.NoError(t, c.says(long))
	require.NoError(t, w.BlackHole())
	require.ErrorIs(t, c.says(200*time.Millisecond), os.ErrDeadlineExceeded)
	require.ErrorIs(t, newTalk(t, w).says(200*time.Millisecond), os.ErrDeadlineExceeded)
	w.Heal()
	require.Error(t, c.says(long), "it lost something")
	require.NoError(t, newTalk(t, w).says(long))
}

func TestWireDelays(t *testing.T) {
	for name, test := range map[string]struct {
		impair func(*Wire, time.Duration) error
		times  time.Duration
	}{
		"both ways": {(*Wire).Delay, 2},
		"answers":   {(*Wire).AnswerLate, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			c := newTalk(t, w)
			const d = 150 * time.Millisecond
			require.NoError(t, test.impair(w, d))
			began := time.Now()
			require.NoError(t, c.says(long))
			require.GreaterOrEqual(t, time.Since(began), test.times*d)
			w.Heal()
			require.NoError(t, c.says(long))
		})
	}
}
