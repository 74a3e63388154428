package grpcfence

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/hotseat-go/hotseat/fencing"
)

const (
	domain       = "hotseat-go.github.io" // of every ErrorInfo
	keyHighWater = "highWater"
)

// answer is how the server says no, and err what it is to the client.
type answer struct {
	code   codes.Code
	reason string
	err    error
}

// answers has ErrWiring before ErrScope, which it is too, and ErrUnavailable last: it stands for every other error.
func answers() [7]answer {
	return [...]answer{
		{codes.FailedPrecondition, "FENCING_STALE", fencing.ErrStale},
		{codes.Aborted, "FENCING_CONFLICT", fencing.ErrConflict},
		{codes.InvalidArgument, "FENCING_MISSING", fencing.ErrMissing},
		{codes.InvalidArgument, "FENCING_MALFORMED", fencing.ErrMalformed},
		{codes.Internal, "FENCING_WIRING", fencing.ErrWiring},
		{codes.InvalidArgument, "FENCING_SCOPE", fencing.ErrScope},
		{codes.Unavailable, "FENCING_UNAVAILABLE", fencing.ErrUnavailable},
	}
}

// fenced is an error of package fencing that is a gRPC status too.
type fenced struct {
	err    error
	status *status.Status
}

func (e *fenced) Error() string              { return e.err.Error() }
func (e *fenced) Unwrap() error              { return e.err }
func (e *fenced) GRPCStatus() *status.Status { return e.status }

// Refuse returns err as the status that stands for it, as in the package comment: for handlers that present a token to a
// guard themselves. Any error but those of package fencing is answered as unavailable, without its text; nil stays nil.
func Refuse(err error) error {
	if err == nil {
		return nil
	}
	as := answers()[6]
	for _, a := range answers() {
		if errors.Is(err, a.err) {
			as = a
			break
		}
	}
	text := err.Error()
	switch as.code {
	case codes.Internal:
		text = fencing.ErrWiring.Error() // what failed behind the guard is nobody's business
	case codes.Unavailable:
		text = fencing.ErrUnavailable.Error()
		if !errors.Is(err, fencing.ErrUnavailable) {
			err = fmt.Errorf("%w: %w", fencing.ErrUnavailable, err)
		}
	}
	info := &errdetails.ErrorInfo{Reason: as.reason, Domain: domain}
	if _, mark := fencing.Refusal(err); !mark.IsZero() {
		info.Metadata = map[string]string{keyHighWater: mark.String()}
	}
	st, invalid := status.New(as.code, text).WithDetails(info)
	if invalid != nil {
		st = status.New(as.code, text)
	}
	return &fenced{err, st}
}

// refusal returns the error that the outcome of a call under presented stands for, and any other as it is.
func refusal(err error, presented fencing.Token) error {
	st, ok := status.FromError(err)
	if !ok || err == nil {
		return err
	}
	for _, detail := range st.Details() {
		info, ok := detail.(*errdetails.ErrorInfo)
		if !ok || info.GetDomain() != domain {
			continue
		}
		for _, a := range answers() {
			if a.code != st.Code() || a.reason != info.GetReason() {
				continue
			}
			if a.code == codes.FailedPrecondition || a.code == codes.Aborted {
				return &fenced{lost(a.code, presented, info.GetMetadata()[keyHighWater]), st}
			}
			return &fenced{named(a.err, st.Message()), st}
		}
	}
	return err
}

// named is the error that a message begins with, and the rest of the message.
func named(err error, message string) error {
	if rest := strings.TrimPrefix(strings.TrimPrefix(message, err.Error()), ": "); rest != "" {
		return fmt.Errorf("%w: %s", err, rest)
	}
	return err
}

// lost returns the error of a status which says that another term won, if its mark bears that out.
func lost(code codes.Code, presented fencing.Token, text string) error {
	mark, err := fencing.ParseToken(text)
	if err != nil {
		return fmt.Errorf("%w: %v with %s: %v", fencing.ErrUnavailable, code, keyHighWater, err) //nolint:errorlint // the mark is malformed, not the token
	}
	order, err := fencing.Compare(presented, mark)
	var conflict *fencing.ConflictError
	switch {
	case code == codes.Aborted && errors.As(err, &conflict):
		return conflict
	case code == codes.FailedPrecondition && err == nil && order < 0:
		return &fencing.StaleError{Presented: presented, HighWater: mark}
	default:
		return fmt.Errorf("%w: %v to %v with the mark %v", fencing.ErrUnavailable, code, presented, mark)
	}
}
