package httpfence

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode"

	"github.com/hotseat-go/hotseat/fencing"
)

// retryAfter, in seconds, is when the work that a newer token waits for may have left.
const retryAfter = "1"

// maxSaid is more than Refuse writes of two scopes.
const maxSaid = 1 << 10

// statusOf is how the server says no. The value of Fencing-Refused is the kind itself.
func statusOf(kind fencing.Kind) int {
	switch kind {
	case fencing.KindStale:
		return http.StatusPreconditionFailed
	case fencing.KindConflict:
		return http.StatusConflict
	case fencing.KindMissing:
		return http.StatusPreconditionRequired
	case fencing.KindMalformed:
		return http.StatusBadRequest
	case fencing.KindWiring:
		return http.StatusInternalServerError
	case fencing.KindScope:
		return http.StatusForbidden
	default:
		return http.StatusServiceUnavailable
	}
}

// Refuse answers a request with the refusal that err stands for, as in the package comment: for handlers that present a
// token to a guard themselves. Any error but those of package fencing is answered as unavailable, and those that are
// without their text; the others with it, which is how a client learns both scopes. Nothing may have been written to w.
func Refuse(w http.ResponseWriter, err error) {
	kind := fencing.KindOf(fencing.FailClosed(cmp.Or(err, fencing.ErrUnavailable)))
	status := statusOf(kind)
	if status >= http.StatusInternalServerError {
		err = kind.Err() // what failed behind the guard is nobody's business
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	_, mark := fencing.Refusal(err)
	if value, invalid := Format(mark); invalid == nil {
		w.Header().Set(HeaderMark, value)
	}
	w.Header().Set(HeaderRefused, string(kind))
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, err.Error(), status)
}

// refusal returns the error that an answer stands for, nil if it is not a Server's.
func refusal(r *http.Response, presented fencing.Token) error {
	switch kind := fencing.Kind(r.Header.Get(HeaderRefused)); {
	case r.StatusCode == http.StatusPreconditionFailed, r.StatusCode == http.StatusConflict:
		if len(r.Header.Values(HeaderMark)) > 0 {
			return lost(r, presented)
		}
	case kind.Err() != nil && statusOf(kind) == r.StatusCode:
		return fmt.Errorf("%w: %s%s", kind.Err(), r.Status, said(r.Body, kind.Err()))
	}
	return nil
}

// said returns what [Refuse] wrote after the name of a refusal, such as both scopes, for people to read: one short line,
// and nothing if that is not what came.
func said(body io.Reader, name error) string {
	text, _ := io.ReadAll(io.LimitReader(body, maxSaid))
	line, _, _ := strings.Cut(strings.ToValidUTF8(string(text), ""), "\n")
	_, more, found := strings.Cut(line, name.Error()+": ")
	if !found || strings.ContainsFunc(more, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return ""
	}
	return ": " + more
}

// lost returns the error of an answer which says that another term won, if its mark bears that out.
func lost(r *http.Response, presented fencing.Token) error {
	mark, err := single(r.Header, HeaderMark)
	if err != nil {
		return fmt.Errorf("%w: %s with %s: %v", fencing.ErrUnavailable, r.Status, HeaderMark, err) //nolint:errorlint // the mark is malformed, not the token
	}
	_, err = fencing.Judge(presented, mark)
	if kind := fencing.KindOf(err); kind.Refused() && statusOf(kind) == r.StatusCode {
		return err
	}
	return fmt.Errorf("%w: %s to %v with the mark %v", fencing.ErrUnavailable, r.Status, presented, mark)
}
