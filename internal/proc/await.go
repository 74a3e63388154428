package proc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// pause is between two questions whether a process is ready.
const pause = 50 * time.Millisecond

// Await asks until ready says nil. It is an error, with the end of the process's log, when the process
// ends or ctx does before.
func (p *Process) Await(ctx context.Context, ready func(context.Context) error) error {
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("proc: %s ended: %w:\n%s", p, errors.Join(p.err, err), p.Tail())
		case <-ctx.Done():
			return fmt.Errorf("proc: %s is not ready: %w:\n%s", p, errors.Join(context.Cause(ctx), err), p.Tail())
		case <-time.After(pause):
		}
	}
}

// FreePorts returns that many TCP ports of the loopback address that are free now.
func FreePorts(n int) ([]string, error) {
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // when all are found, so that they differ
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
