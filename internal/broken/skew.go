package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"regexp"
	"time"
)

// skewed is the API server as a machine sees it whose wall clock is ahead by that much: what it
// writes shows times that are ahead, and what it reads is behind its own clock.
type skewed struct {
	next  http.RoundTripper
	ahead time.Duration
}

const micro = "2006-01-02T15:04:05.000000Z"

// moved is text with all times of a Lease moved.
func moved(text []byte, by time.Duration) []byte {
	times := regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z`)
	return times.ReplaceAllFunc(text, func(old []byte) []byte {
		t, err := time.Parse(micro, string(old))
		if err != nil {
			return old
		}
		return []byte(t.Add(by).Format(micro))
	})
}

func (s skewed) RoundTrip(request *http.Request) (*http.Response, error) {
	if s.ahead == 0 {
		return s.next.RoundTrip(request)
	}
	if request.Body != nil {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		request = request.Clone(request.Context())
		request.Body = io.NopCloser(bytes.NewReader(moved(body, s.ahead)))
		request.GetBody = nil
	}
	response, err := s.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Body = &skewedBody{response.Body, bufio.NewReader(response.Body), nil, -s.ahead}
	return response, nil
}

// skewedBody moves the times of an answer, line by line: each event of a watch is one.
type skewedBody struct {
	io.Closer
	lines *bufio.Reader
	rest  []byte
	by    time.Duration
}

func (b *skewedBody) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		line, err := b.lines.ReadBytes('\n')
		if len(line) == 0 {
			return 0, err
		}
		b.rest = moved(line, b.by) // an error that came with it comes again
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}
