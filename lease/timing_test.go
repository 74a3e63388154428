package lease_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/lease"
)

func TestTimingDefaultsAreValid(t *testing.T) {
	timing := lease.Timing{}.WithDefaults()
	require.NoError(t, timing.Validate())
	require.Equal(t, lease.Timing{LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second, MaxClockDrift: 0.05}, timing)
	require.InDelta(t, 4.2857, timing.StopBudget().Seconds(), 0.0001)
	require.Less(t, timing.RequestTimeout(), timing.RenewDeadline/3, "several attempts fit")
	set := lease.Timing{LeaseDuration: 9 * time.Second, RenewDeadline: 5 * time.Second, RetryPeriod: time.Second, MaxClockDrift: 0.1}
	require.Equal(t, set, set.WithDefaults(), "what is set stays")
}

func TestTimingValidate(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	good := lease.Timing{LeaseDuration: 15 * s, RenewDeadline: 10 * s, RetryPeriod: 2 * s, MaxClockDrift: 0.05}
	with := func(change func(*lease.Timing)) lease.Timing {
		timing := good
		change(&timing)
		return timing
	}
	for name, test := range map[string]struct {
		timing lease.Timing
		fields []string // refused, in order; none: valid
		says   string
	}{
		"defaults":             {good, nil, ""},
		"shortest":             {lease.Timing{LeaseDuration: 2 * s, RenewDeadline: 1500 * ms, RetryPeriod: 100 * ms, MaxClockDrift: 0.01}, nil, ""},
		"one second":           {lease.Timing{LeaseDuration: s, RenewDeadline: 500 * ms, RetryPeriod: 100 * ms, MaxClockDrift: 0.01}, []string{"LeaseDuration"}, "LeaseDuration 1s must be at least 2s"},
		"fraction":             {with(func(t *lease.Timing) { t.LeaseDuration = 15*s + 1 }), []string{"LeaseDuration"}, "whole seconds"},
		"longest":              {with(func(t *lease.Timing) { t.LeaseDuration = time.Hour }), nil, ""},
		"too long":             {with(func(t *lease.Timing) { t.LeaseDuration = time.Hour + s }), []string{"LeaseDuration"}, "LeaseDuration 1h0m1s must be at most 1h0m0s"},
		"negative":             {with(func(t *lease.Timing) { t.LeaseDuration = -15 * s }), []string{"LeaseDuration", "RenewDeadline"}, "LeaseDuration -15s"},
		"retry zero":           {with(func(t *lease.Timing) { t.RetryPeriod = 0 }), []string{"RetryPeriod"}, "RetryPeriod 0s must be at least 100ms"},
		"retry negative":       {with(func(t *lease.Timing) { t.RetryPeriod = -s }), []string{"RetryPeriod"}, "RetryPeriod -1s must be at least 100ms"},
		"retry a slip":         {with(func(t *lease.Timing) { t.RetryPeriod = 2 }), []string{"RetryPeriod"}, "RetryPeriod 2ns must be at least 100ms"},
		"retry = renew":        {with(func(t *lease.Timing) { t.RetryPeriod = 10 * s }), []string{"RetryPeriod"}, "RetryPeriod 10s must be at most RenewDeadline/2 = 10s/2 = 5s"},
		"retry just above":     {with(func(t *lease.Timing) { t.RetryPeriod = 5*s + 1 }), []string{"RetryPeriod"}, "RetryPeriod 5.000000001s must be at most"},
		"retry = renew/2":      {with(func(t *lease.Timing) { t.RetryPeriod = 5 * s }), nil, ""},
		"renew zero":           {with(func(t *lease.Timing) { t.RenewDeadline = 0 }), []string{"RenewDeadline"}, "RenewDeadline 0s must be positive"},
		"renew = L/k":          {with(func(t *lease.Timing) { t.LeaseDuration = 21 * s; t.RenewDeadline = 20 * s }), []string{"RenewDeadline"}, "RenewDeadline 20s must be at most LeaseDuration/(1+MaxClockDrift) - 100ms = 21s/1.05 - 100ms = 19.9s: work needs time to stop"},
		"no room to stop":      {with(func(t *lease.Timing) { t.LeaseDuration = 21 * s; t.RenewDeadline = 20*s - 1 }), []string{"RenewDeadline"}, "19.9s"},
		"just too little room": {with(func(t *lease.Timing) { t.LeaseDuration = 21 * s; t.RenewDeadline = 19900*ms + 1 }), []string{"RenewDeadline"}, "19.9s"},
		"least room":           {with(func(t *lease.Timing) { t.LeaseDuration = 21 * s; t.RenewDeadline = 19900 * ms }), nil, ""},
		"renew = lease":        {with(func(t *lease.Timing) { t.RenewDeadline = 15 * s }), []string{"RenewDeadline"}, "RenewDeadline 15s"},
		"drift negative":       {with(func(t *lease.Timing) { t.MaxClockDrift = -0.01 }), []string{"MaxClockDrift"}, "MaxClockDrift -0.01 must be between 0 and 1"},
		"drift NaN":            {with(func(t *lease.Timing) { t.MaxClockDrift = math.NaN() }), []string{"MaxClockDrift"}, "NaN"},
		"drift infinite":       {with(func(t *lease.Timing) { t.MaxClockDrift = math.Inf(1) }), []string{"MaxClockDrift"}, "+Inf"},
		"drift too large":      {with(func(t *lease.Timing) { t.MaxClockDrift = 0.5 }), []string{"RenewDeadline"}, "= 15s/1.5 - 100ms = 9.9s"},
		"client-go truncated":  {lease.Timing{LeaseDuration: 3900 * ms, RenewDeadline: 3800 * ms, RetryPeriod: 500 * ms, MaxClockDrift: 0.05}, []string{"LeaseDuration", "RenewDeadline"}, ""},
		"everything wrong":     {lease.Timing{LeaseDuration: -1, RenewDeadline: -1, RetryPeriod: -1, MaxClockDrift: -1}, []string{"LeaseDuration", "RetryPeriod", "RenewDeadline", "MaxClockDrift"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.timing.Validate()
			require.Equal(t, test.fields, fields(err), "%v", err)
			if len(test.fields) > 0 {
				require.ErrorContains(t, err, test.says)
			} else {
				require.GreaterOrEqual(t, test.timing.StopBudget(), lease.MinStopBudget)
			}
		})
	}
}

// fields names the refused fields of a joined error.
func fields(err error) (names []string) {
	if err == nil {
		return nil
	}
	for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
		if field, ok := errors.AsType[*lease.FieldError](err); ok {
			names = append(names, field.Field)
		}
	}
	return names
}
