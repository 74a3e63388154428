package writegate

import (
	"io"
	"net/http"
	"sync/atomic"
)

// bodyGate is what the bodies of one request have in common. HTTP/2 may take a new one to send the
// request again.
type bodyGate struct {
	valid func() bool
	late  *atomic.Bool
	err   *Error
}

// gateBody makes the transport meet the gate whenever it takes a part of r's body. Without the end
// of the body, the API server does nothing. A request without a body gets one that is empty, for
// this alone.
func gateBody(r *http.Request, gate *bodyGate) {
	length := r.ContentLength
	if !hasBody(r) {
		r.Body, length = http.NoBody, 0
		r.GetBody = func() (io.ReadCloser, error) { return http.NoBody, nil }
	}
	if length <= 0 {
		length = unknown
	}
	r.Body = &gatedBody{ReadCloser: r.Body, gate: gate, left: length}
	if again := r.GetBody; again != nil {
		r.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			if err != nil {
				return nil, err
			}
			return &gatedBody{ReadCloser: body, gate: gate, left: length}, nil
		}
	}
}

// unknown length: the request ends where the body does.
const unknown = -1

type gatedBody struct {
	io.ReadCloser
	gate *bodyGate
	left int64 // until the server has the declared length; unknown if none was declared
}

// Read hands over a part of the body if the term is valid after it was read. Once the transport has
// the whole of the declared length, the write may have been sent, so it is not refused any more.
func (b *gatedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return b.ReadCloser.Read(p)
	}
	n, err := b.ReadCloser.Read(p)
	if !b.gate.valid() {
		b.gate.late.Store(true)
		return 0, b.gate.err
	}
	if b.left != unknown {
		b.left = max(0, b.left-int64(n))
	}
	return n, err
}
