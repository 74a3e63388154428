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

// retryAfter, in seconds, is when older work may have left.
const retryAfter = "1"

// maxSaid is more than Refuse writes about two scopes.
const maxSaid = 1 << 10

// statusOf is the status of a refusal. The value of Fencing-Refused is the kind itself.
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

// Refuse answers a request with the refusal for err, as in the package comment. It is for handlers
// that present a token to a guard themselves. An error that is not of package fencing is answered
// as unavailable. The answer contains the text of the error, except with status 500 and 503. So a
// client whose token has the wrong scope learns the guard's scope. Call Refuse before anything is
// written to w.
func Refuse(w http.ResponseWriter, err error) {
	kind := fencing.KindOf(fencing.FailClosed(cmp.Or(err, fencing.ErrUnavailable)))
	status := statusOf(kind)
	if status >= http.StatusInternalServerError {
		err = kind.Err() // do not show clients what failed behind the guard
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

// refusal returns the error that an answer means. It is nil if the answer is not a Server's
// refusal.
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

// said returns what [Refuse] wrote after the name of a refusal, such as both scopes, for people to
// read. It is one short line, or empty if the body is something else.
func said(body io.Reader, name error) string {
	text, _ := io.ReadAll(io.LimitReader(body, maxSaid))
	line, _, _ := strings.Cut(strings.ToValidUTF8(string(text), ""), "\n")
	_, more, found := strings.Cut(line, name.Error()+": ")
	if !found || strings.ContainsFunc(more, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return ""
	}
	return ": " + more
}

// lost returns the error of an answer which says that another term won, if the mark in the answer
// confirms that.
func lost(r *http.Response, presented fencing.Token) error {
	mark, err := single(r.Header, HeaderMark)
	if err != nil {
		//nolint:errorlint // the mark is malformed, not the token
		return fmt.Errorf("%w: %s with %s: %v", fencing.ErrUnavailable, r.Status, HeaderMark, err)
	}
	_, err = fencing.Judge(presented, mark)
	if kind := fencing.KindOf(err); kind.Refused() && statusOf(kind) == r.StatusCode {
		return err
	}
	return fmt.Errorf("%w: %s to %v with the mark %v",
		fencing.ErrUnavailable, r.Status, presented, mark)
}
