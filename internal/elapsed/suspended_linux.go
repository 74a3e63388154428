//go:build !hotseat_nosuspend

package elapsed

import (
	"time"

	"golang.org/x/sys/unix"
)

// systemSuspended returns bounds of CLOCK_BOOTTIME - CLOCK_MONOTONIC: the true
// difference lies between the one with the later and the one with the earlier
// reading of the monotonic clock. If the kernel lacks CLOCK_BOOTTIME (before
// 2.6.39) it is zero.
func systemSuspended() (low, high time.Duration) {
	before, err1 := gettime(unix.CLOCK_MONOTONIC)
	boot, err2 := gettime(unix.CLOCK_BOOTTIME)
	after, err3 := gettime(unix.CLOCK_MONOTONIC)
	if err1 != nil || err2 != nil || err3 != nil {
		return 0, 0
	}
	return boot - after, boot - before
}

// systemSuspendedAtLeast is the lower bound alone.
func systemSuspendedAtLeast() time.Duration {
	boot, err1 := gettime(unix.CLOCK_BOOTTIME)
	mono, err2 := gettime(unix.CLOCK_MONOTONIC)
	if err1 != nil || err2 != nil {
		return 0
	}
	return boot - mono
}

func gettime(clock int32) (time.Duration, error) {
	var ts unix.Timespec
	err := unix.ClockGettime(clock, &ts)
	return time.Duration(ts.Nano()), err
}
