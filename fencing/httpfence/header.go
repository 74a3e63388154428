package httpfence

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/hotseat-go/hotseat/fencing"
)

// Names of the header fields.
const (
	HeaderToken   = "Fencing-Token"      // request: its token
	HeaderMark    = "Fencing-High-Water" // answer: the mark, in the same form, or "none"
	HeaderRefused = "Fencing-Refused"    // answer: why the handler did not run
)

// maxValue is more than any token needs. Package fencing limits the fields.
const maxValue = 512

// Format returns the value of a Fencing-Token field. It fails as [fencing.Token.Validate] does.
func Format(t fencing.Token) (string, error) {
	if err := t.Validate(); err != nil {
		return "", err
	}
	epoch := strconv.FormatInt(t.Epoch, 10)
	return `"` + epoch + `";scope="` + t.Scope + `";term="` + t.Term + `"`, nil
}

// Parse reads what [Format] wrote, and nothing else. Every other text, including the empty one, is
// [fencing.ErrMalformed].
func Parse(value string) (fencing.Token, error) {
	if t, ok := parse(value); ok && t.Validate() == nil {
		return t, nil
	}
	return fencing.Token{}, fmt.Errorf(`%w: %.120q, must be "EPOCH";scope="SCOPE";term="TERM"`,
		fencing.ErrMalformed, value)
}

// parse accepts no two texts for a valid token, whose scope and term have no quotes.
func parse(value string) (fencing.Token, bool) {
	if len(value) > maxValue {
		return fencing.Token{}, false
	}
	rest, opened := strings.CutPrefix(value, `"`)
	digits, rest, scoped := strings.Cut(rest, `";scope="`)
	scope, rest, termed := strings.Cut(rest, `";term="`)
	term, closed := strings.CutSuffix(rest, `"`)
	if !opened || !scoped || !termed || !closed ||
		digits == "" || digits[0] < '1' || digits[0] > '9' {
		return fencing.Token{}, false
	}
	epoch, err := strconv.ParseInt(digits, 10, 64)
	return fencing.Token{Scope: scope, Epoch: epoch, Term: term}, err == nil
}

// FromHeader returns the token of a request. The error is [fencing.ErrMissing] if there is no
// token, and [fencing.ErrMalformed] unless Fencing-Token is one valid token, sent once. FromHeader
// is for handlers whose guard needs no [Server], such as a database's guard.
func FromHeader(h http.Header) (fencing.Token, error) { return single(h, HeaderToken) }

func single(h http.Header, name string) (fencing.Token, error) {
	switch values := h.Values(name); len(values) {
	case 0:
		return fencing.Token{}, fencing.ErrMissing
	case 1:
		return Parse(values[0])
	default:
		return fencing.Token{}, fmt.Errorf("%w: %d fields %s, must be one",
			fencing.ErrMalformed, len(values), name)
	}
}
