package protocol

// DecideNow is what the protocol allows one that knows v.
func DecideNow(v View, now Instant, fresh bool) Decision { return v.decide(now, fresh) }

// ErrLost is what every LostError is.
var ErrLost = errLost
