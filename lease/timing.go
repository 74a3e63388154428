package lease

import (
	"errors"
	"fmt"
	"time"
)

// Defaults of [Timing]. The first three are client-go's
// (tools/leaderelection), so that operators meet the numbers they know.
const (
	DefaultLeaseDuration = 15 * time.Second
	DefaultRenewDeadline = 10 * time.Second
	DefaultRetryPeriod   = 2 * time.Second
	DefaultMaxClockDrift = 0.05

	// MinLeaseDuration is the shortest safe lease duration. A Lease stores its duration in whole
	// seconds. At one second a standby cannot tell whether the holder has renewed. (Measured on
	// client-go: standbys took the Lease from a live holder at 1 s, never at 2 s.)
	MinLeaseDuration = 2 * time.Second
	// MinRetryPeriod catches a typing error: 2 for 2*time.Second. With a RetryPeriod of 2 ns, an
	// elector would write to the API server without a pause.
	MinRetryPeriod = 100 * time.Millisecond
	// MaxLeaseDuration is the longest lease duration that a process may ask for, and the longest that
	// a standby believes. A typing error on the Lease must not keep everybody out for years.
	MaxLeaseDuration = time.Hour
	// MinStopBudget leaves the scheduler time to run work after its context ended.
	MinStopBudget = 100 * time.Millisecond
)

// Timing has the three durations of an election, and the clock drift that it allows for. The zero
// value of a field means its default. Do not change a Timing that is in use.
//
// The proof of G1, the guarantee of package singleton that the work of two replicas never overlaps:
// let k = 1 + MaxClockDrift. Work must return within the stop budget S = LeaseDuration/k -
// RenewDeadline after its context's end.
//   - The last acknowledged write was sent at s and committed at c >= s.
//   - Work has stopped by s + RenewDeadline + S.
//   - A standby's wait began when it observed that write, at o >= c. The wait lasts LeaseDuration
//     on the standby's clock.
//
// On the holder's clock, the wait lasts at least LeaseDuration/k, which is RenewDeadline + S. It
// began at s or later. So it ends no earlier than s + RenewDeadline + S, and work has stopped by
// then. No delay of an answer changes that.
type Timing struct {
	// LeaseDuration (L) is how long a standby waits, after the last change that it observed, before it
	// takes over. It is written on the Lease. Whole seconds, from [MinLeaseDuration] to
	// [MaxLeaseDuration]. Default 15 s. If it is longer, RenewDeadline can be longer too, and a term
	// then survives longer API outages. But a crash is noticed that much later.
	LeaseDuration time.Duration
	// RenewDeadline (R) is how long a term stays valid after its last acknowledged write was sent. At
	// most LeaseDuration/(1+MaxClockDrift) - [MinStopBudget]. Default 10 s.
	RenewDeadline time.Duration
	// RetryPeriod (P) is the time between renewals, and between polls if watching is forbidden. At
	// least [MinRetryPeriod], at most RenewDeadline/2. Default 2 s.
	RetryPeriod time.Duration
	// MaxClockDrift bounds how much faster one machine's clock may run than another's, as a fraction.
	// 0.05 is 5 %, far more than the 500 ppm (0.0005) by which NTP slews. At most 1. Default 0.05.
	MaxClockDrift float64
}

// WithDefaults returns t with zero fields set to their defaults.
func (t Timing) WithDefaults() Timing {
	if t.LeaseDuration == 0 {
		t.LeaseDuration = DefaultLeaseDuration
	}
	if t.RenewDeadline == 0 {
		t.RenewDeadline = DefaultRenewDeadline
	}
	if t.RetryPeriod == 0 {
		t.RetryPeriod = DefaultRetryPeriod
	}
	if t.MaxClockDrift == 0 {
		t.MaxClockDrift = DefaultMaxClockDrift
	}
	return t
}

// StopBudget is how long work may take to return after its context ended: S in the proof at
// [Timing]. Call it on a valid Timing.
func (t Timing) StopBudget() time.Duration { return t.usable() - t.RenewDeadline }

// usable is L/k: the part of a lease duration that is over on every clock before a standby's wait
// is.
func (t Timing) usable() time.Duration {
	return time.Duration(float64(t.LeaseDuration) / (1 + t.MaxClockDrift))
}

// RequestTimeout is how long a request goes unanswered before another copy of it is sent, while the
// first stays in flight. It is a quarter of RenewDeadline, so that several requests fit into a
// term's validity.
func (t Timing) RequestTimeout() time.Duration { return t.RenewDeadline / 4 }

// Validate returns nil if the proof at [Timing] holds for the values, and each value is within the
// bounds at its field. Otherwise it returns all violated rules, joined; each is a [*FieldError]. It
// judges the values as they are: call [Timing.WithDefaults] first.
func (t Timing) Validate() error {
	var errs []error
	refuse := func(field string, value any, format string, args ...any) {
		errs = append(errs, &FieldError{Field: field, Value: value, Rule: fmt.Sprintf(format, args...)})
	}
	switch {
	case t.LeaseDuration > 0 && t.LeaseDuration < time.Microsecond:
		refuse("LeaseDuration", t.LeaseDuration, "must be at least %v (a plain %d means %v)",
			MinLeaseDuration, t.LeaseDuration, t.LeaseDuration)
	case t.LeaseDuration < MinLeaseDuration:
		refuse("LeaseDuration", t.LeaseDuration, "must be at least %v", MinLeaseDuration)
	case t.LeaseDuration%time.Second != 0:
		refuse("LeaseDuration", t.LeaseDuration, "must be whole seconds: a Lease carries no fraction")
	case t.LeaseDuration > MaxLeaseDuration:
		refuse("LeaseDuration", t.LeaseDuration, "must be at most %v", MaxLeaseDuration)
	}
	if t.RetryPeriod < MinRetryPeriod {
		refuse("RetryPeriod", t.RetryPeriod, "must be at least %v", MinRetryPeriod)
	}
	if t.RenewDeadline <= 0 {
		refuse("RenewDeadline", t.RenewDeadline, "must be positive")
	}
	if t.RenewDeadline > 0 && t.RetryPeriod > t.RenewDeadline/2 {
		refuse("RetryPeriod", t.RetryPeriod, "must be at most RenewDeadline/2 = %v/2 = %v:"+
			" a renewal that fails needs another one in time", t.RenewDeadline, t.RenewDeadline/2)
	}
	if !(t.MaxClockDrift >= 0 && t.MaxClockDrift <= 1) { // also refuses NaN
		refuse("MaxClockDrift", t.MaxClockDrift, "must be between 0 and 1")
	} else if t.StopBudget() < MinStopBudget {
		refuse("RenewDeadline", t.RenewDeadline, "must be at most"+
			" LeaseDuration/(1+MaxClockDrift) - %v = %v/%v - %v = %v: work needs time to stop",
			MinStopBudget, t.LeaseDuration, 1+t.MaxClockDrift, MinStopBudget, t.usable()-MinStopBudget)
	}
	return errors.Join(errs...)
}
