package events

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hotseat-go/hotseat/singleton"
)

// severity is an Event's type.
type severity string

const (
	normal  severity = "Normal"
	warning severity = "Warning"
)

// kind is what people filter Events by.
type kind struct {
	severity severity
	reason   string
}

func becameActive() kind { return kind{normal, "BecameActive"} }
func overrun() kind      { return kind{warning, "Overrun"} }

// endOf says why a term ended. It quotes no error: what a guard's or the work's says, and what a
// panic's value holds, may be secret.
func endOf(cause error) (of kind, why string) {
	var end *singleton.EndError
	if !errors.As(cause, &end) {
		return kind{warning, "TermEnded"}, "its term ended"
	}
	switch end.Reason {
	case singleton.ReasonResigned:
		return kind{normal, "Resigned"}, "it resigned"
	case singleton.ReasonShutdown:
		return kind{normal, "ShutDown"}, "it is shutting down"
	case singleton.ReasonReturned:
		if end.Err != nil {
			return kind{warning, "WorkReturned"}, "its work returned an error"
		}
		return kind{normal, "WorkReturned"}, "its work returned"
	case singleton.ReasonExpired:
		return kind{warning, "NotRenewed"},
			"the Lease was not renewed since " + end.Since.UTC().Format(time.RFC3339Nano)
	case singleton.ReasonTaken:
		return kind{warning, "LeaseTaken"}, "the Lease was taken by " + short(strconv.Quote(end.Holder))
	case singleton.ReasonCleared:
		return kind{warning, "LeaseCleared"}, "the holder was removed from the Lease"
	case singleton.ReasonDeleted:
		return kind{warning, "LeaseDeleted"}, "the Lease was deleted"
	case singleton.ReasonFenced:
		return kind{warning, "Fenced"}, "a higher epoch was written on the Lease"
	case singleton.ReasonRefused:
		return kind{warning, "TokenRefused"}, "a guard refused its token"
	case singleton.ReasonUnavailable:
		return kind{warning, "GuardUnavailable"}, "a guard could not decide about its token"
	case singleton.ReasonPanicked:
		return kind{warning, "Panicked"}, "its work or a hook panicked"
	case singleton.ReasonStalled:
		return kind{warning, "Stalled"},
			"its work reported no progress since " + end.Since.UTC().Format(time.RFC3339Nano)
	}
	return kind{warning, "TermEnded"}, "its term ended"
}

func activeMessage(term *singleton.Term) string {
	return fmt.Sprintf("%s became active with epoch %d", name(term), term.Token().Epoch)
}

func endMessage(term *singleton.Term, why string) string {
	return fmt.Sprintf("%s is not active any more: %s", name(term), why)
}

func overrunMessage(term *singleton.Term) string {
	return name(term) + " is not active any more, but its work has not returned in time"
}

func leftOutMessage(events int) string {
	if events == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d before this were left out)", events)
}

func name(term *singleton.Term) string { return short(term.Identity()) }

// short is text that fits in a message. An API server refuses a note of more than 1 kB, and the
// holder on a Lease may be anything.
func short(text string) string {
	const most = 300
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
