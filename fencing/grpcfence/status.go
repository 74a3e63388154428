package grpcfence

import (
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/hotseat-go/hotseat/fencing"
)

const (
	domain  = "hotseat-go.github.io" // of every ErrorInfo
	reasons = "FENCING_"             // the kind, in upper case
	keyMark = "highWater"
)

// codeOf is the code of a refusal.
func codeOf(kind fencing.Kind) codes.Code {
	switch kind {
	case fencing.KindStale:
		return codes.FailedPrecondition
	case fencing.KindConflict:
		return codes.Aborted
	case fencing.KindMissing, fencing.KindMalformed, fencing.KindScope:
		return codes.InvalidArgument
	case fencing.KindWiring:
		return codes.Internal
	default:
		return codes.Unavailable
	}
}

// reasonOf is the reason of a refusal, in the status's ErrorInfo.
func reasonOf(kind fencing.Kind) string { return reasons + strings.ToUpper(string(kind)) }

// kindOf is the kind of a status with that code and reason. It is the zero Kind if the status is
// not a Server's refusal.
func kindOf(code codes.Code, reason string) fencing.Kind {
	kind := fencing.Kind(strings.ToLower(strings.TrimPrefix(reason, reasons)))
	if kind.Err() == nil || reasonOf(kind) != reason || codeOf(kind) != code {
		return ""
	}
	return kind
}

// fenced is an error of package fencing that is also a gRPC status.
type fenced struct {
	err    error
	status *status.Status
}

func (e *fenced) Error() string              { return e.err.Error() }
func (e *fenced) Unwrap() error              { return e.err }
func (e *fenced) GRPCStatus() *status.Status { return e.status }

// Refuse returns err as its status, as in the package comment. It is for handlers that present a
// token to a guard themselves. An error that is not of package fencing becomes unavailable, without
// its text. Nil stays nil.
func Refuse(err error) error {
	if err == nil {
		return nil
	}
	if fencing.KindOf(err) == fencing.KindOther {
		err = fencing.FailClosed(err)
	}
	kind, text := fencing.KindOf(err), err.Error()
	code := codeOf(kind)
	if code == codes.Internal || code == codes.Unavailable {
		text = kind.Err().Error() // do not show clients what failed behind the guard
	}
	info := &errdetails.ErrorInfo{Reason: reasonOf(kind), Domain: domain}
	if _, mark := fencing.Refusal(err); !mark.IsZero() {
		info.Metadata = map[string]string{keyMark: mark.String()}
	}
	st, invalid := status.New(code, text).WithDetails(info)
	if invalid != nil {
		st = status.New(code, text)
	}
	return &fenced{err, st}
}

// refusal returns the error that the outcome of a call with presented means. It returns any other
// error unchanged.
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
		switch kind := kindOf(st.Code(), info.GetReason()); {
		case kind.Refused():
			return &fenced{lost(st.Code(), presented, info.GetMetadata()[keyMark]), st}
		case kind != "":
			return &fenced{named(kind.Err(), st.Message()), st}
		}
	}
	return err
}

// named returns err, whose text the message begins with, and the rest of the message.
func named(err error, message string) error {
	if rest := strings.TrimPrefix(strings.TrimPrefix(message, err.Error()), ": "); rest != "" {
		return fmt.Errorf("%w: %s", err, rest)
	}
	return err
}

// lost returns the error of a status which says that another term won, if the mark in the status
// confirms that.
func lost(code codes.Code, presented fencing.Token, text string) error {
	mark, err := fencing.ParseToken(text)
	if err != nil {
		//nolint:errorlint // the mark is malformed, not the token
		return fmt.Errorf("%w: %v with %s: %v", fencing.ErrUnavailable, code, keyMark, err)
	}
	_, err = fencing.Judge(presented, mark)
	if kind := fencing.KindOf(err); kind.Refused() && codeOf(kind) == code {
		return err
	}
	return fmt.Errorf("%w: %v to %v with the mark %v",
		fencing.ErrUnavailable, code, presented, mark)
}
