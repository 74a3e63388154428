package evidence

import "errors"

var (
	// ErrNoPod: [NewPods] cannot tell which Pod this process is in. It may be in none. Do not retry.
	ErrNoPod = errors.New("evidence: this process's own Pod is not known")

	// ErrUnfit: the death of this process cannot be proven by its Pod, because of how the Pod or
	// Config is. Identify returns it. The others wait for the lease duration if this process crashes.
	// Do not retry.
	ErrUnfit = errors.New("evidence: the Pod cannot prove this process's death")

	// ErrIdentity: what a holder published is not an identity of this package. Another version or
	// somebody's edit wrote it. It proves nothing. Do not retry with the same text.
	ErrIdentity = errors.New("evidence: not the identity of a container")
)
