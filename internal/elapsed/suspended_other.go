//go:build !linux || hotseat_nosuspend

package elapsed

import "time"

func systemSuspended() (low, high time.Duration) { return 0, 0 }

func systemSuspendedAtLeast() time.Duration { return 0 }
