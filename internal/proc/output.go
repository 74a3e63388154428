package proc

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"sync"
)

// output sends what the process writes where the options say. listen hears it to its end; done drops
// what only the child needs once that has started.
func (p *Process) output(o Options) (listen, done func(), err error) {
	if o.Log != "" {
		log, err := os.OpenFile(o.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, nil, err
		}
		p.cmd.Stdout, p.cmd.Stderr = log, log
		return func() {}, func() { _ = log.Close() }, nil
	}
	var listeners []func()
	for _, of := range []struct {
		pipe  func() (io.ReadCloser, error)
		heard func([]byte)
	}{{p.cmd.StdoutPipe, o.Out}, {p.cmd.StderrPipe, o.Err}} {
		if of.heard == nil {
			continue
		}
		r, err := of.pipe()
		if err != nil {
			return nil, nil, err
		}
		listeners = append(listeners, func() { eachLine(r, of.heard) })
	}
	listen = func() {
		var all sync.WaitGroup
		for _, l := range listeners {
			all.Go(l)
		}
		all.Wait()
	}
	return listen, func() {}, nil
}

// eachLine reads lines of any length, also a last one that does not end.
func eachLine(r io.Reader, heard func([]byte)) {
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			heard(bytes.TrimRight(line, "\r\n"))
		}
		if err != nil {
			return
		}
	}
}

// Tail is the end of the file that the process writes to.
func (p *Process) Tail() string { return Tail(p.log) }

// Tail is the end of a file of text, or why there is none.
func Tail(path string) string {
	const most = 4 << 10
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text[max(0, len(text)-most):]))
}
