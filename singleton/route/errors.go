package route

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/apiclient"
)

// Kinds of error that a [Router] reports, wrapped, to Options.OnError and the logs. Any other error
// that it reports is a failed request, which is tried again.
var (
	// ErrRefused: the API server does not allow a request, or an admission policy refuses it. The text
	// includes the server's message, which names the verb and the resource. Only a person can mend
	// this.
	ErrRefused = errors.New("route: the API server refuses the request")

	// ErrSuperseded: the mark on a Pod or slice forbids this term to write it. The mark is of a later
	// term or of another Lease, or it cannot be read. If no later term exists, the mark was edited, or
	// comes from a cluster before a restore: remove the annotation that the text names.
	ErrSuperseded = errors.New("route: another term has the traffic")

	// ErrSetup: what is in the cluster does not fit the configuration. The text says what.
	ErrSetup = errors.New("route: the set-up does not fit")
)

// errOver ends what is not to be published any more.
var errOver = errors.New("route: the term is over")

// wrapped says which request failed. Those that only a person can mend become ErrRefused.
func wrapped(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case apiclient.Lasting(err), apierrors.IsUnauthorized(err):
		return fmt.Errorf("%w: %s: %w", ErrRefused, doing, err)
	}
	return fmt.Errorf("route: %s: %w", doing, err)
}

// kindOf returns the error of this package that err is, or nil.
func kindOf(err error) error {
	for _, kind := range []error{ErrRefused, ErrSuperseded, ErrSetup} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return nil
}

// over is the mark's suffix once its term has withdrawn the address. The term cannot publish any
// more, not even by a request that is still under way.
const over = " over"

// judged reports whether an object bears the mark of own's term. The error is an ErrSuperseded if
// this term may not write it.
func judged(own fencing.Token, object, key, mark string) (ours bool, err error) {
	if mark == own.String() {
		return true, nil
	}
	var seen fencing.Token
	text := mark
	if n := len(mark) - len(over); n > 0 && mark[n:] == over {
		text = mark[:n]
	}
	if text != "" {
		seen, err = fencing.ParseMark(text, own.Scope)
	}
	if err == nil {
		_, err = fencing.Judge(own, seen)
	}
	if err == nil && seen == own {
		err = errOver // this very term has withdrawn it
	}
	if err != nil {
		return false, fmt.Errorf("%w: annotation %s=%q of %s, own token %s: %w",
			ErrSuperseded, key, mark, object, own, err)
	}
	return false, nil
}
