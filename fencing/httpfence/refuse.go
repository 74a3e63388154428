package httpfence

import (
	"errors"
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

// answer is how the server says no, and err what it is to the client.
type answer struct {
	status int
	reason string // value of Fencing-Refused
	err    error
}

// answers has ErrWiring before ErrScope, which it is too, and ErrUnavailable last: it stands for every other error.
func answers() [7]answer {
	return [...]answer{
		{http.StatusPreconditionFailed, "stale", fencing.ErrStale},
		{http.StatusConflict, "conflict", fencing.ErrConflict},
		{http.StatusPreconditionRequired, "missing", fencing.ErrMissing},
		{http.StatusBadRequest, "malformed", fencing.ErrMalformed},
		{http.StatusInternalServerError, "wiring", fencing.ErrWiring},
		{http.StatusForbidden, "scope", fencing.ErrScope},
		{http.StatusServiceUnavailable, "unavailable", fencing.ErrUnavailable},
	}
}

// Refuse answers a request with the refusal that err stands for, as in the package comment: for handlers that present a
// token to a guard themselves. Any error but those of package fencing is answered as unavailable, and those that are
// without their text; the others with it, which is how a client learns both scopes. Nothing may have been written to w.
func Refuse(w http.ResponseWriter, err error) {
	as := answers()[6]
	for _, a := range answers() {
		if errors.Is(err, a.err) {
			as = a
			break
		}
	}
	if as.status >= http.StatusInternalServerError {
		err = as.err // what failed behind the guard is nobody's business
	}
	if as.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	_, mark := fencing.Refusal(err)
	if value, invalid := Format(mark); invalid == nil {
		w.Header().Set(HeaderHighWater, value)
	}
	w.Header().Set(HeaderRefused, as.reason)
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, err.Error(), as.status)
}

// refusal returns the error that an answer stands for, nil if it is not the fence's.
func refusal(r *http.Response, presented fencing.Token) error {
	for _, a := range answers() {
		switch {
		case r.StatusCode != a.status:
		case a.status == http.StatusPreconditionFailed || a.status == http.StatusConflict:
			if len(r.Header.Values(HeaderHighWater)) > 0 {
				return lost(r, presented)
			}
		case r.Header.Get(HeaderRefused) == a.reason:
			return fmt.Errorf("%w: %s%s", a.err, r.Status, said(r.Body, a.err))
		}
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
	mark, err := single(r.Header, HeaderHighWater)
	if err != nil {
		return fmt.Errorf("%w: %s with %s: %v", fencing.ErrUnavailable, r.Status, HeaderHighWater, err) //nolint:errorlint // the mark is malformed, not the token
	}
	order, err := fencing.Compare(presented, mark)
	var conflict *fencing.ConflictError
	switch {
	case r.StatusCode == http.StatusConflict && errors.As(err, &conflict):
		return conflict
	case r.StatusCode == http.StatusPreconditionFailed && err == nil && order < 0:
		return &fencing.StaleError{Presented: presented, HighWater: mark}
	default:
		return fmt.Errorf("%w: %s to %v with the mark %v", fencing.ErrUnavailable, r.Status, presented, mark)
	}
}
