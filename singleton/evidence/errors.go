package evidence

import "errors"

var (
	// ErrNoPod: [NewPods] cannot tell which Pod this process is in. It may be in none. Do not retry.
	ErrNoPod = errors.New("evidence: this process's own Pod is not known")

	// ErrUnfit: the Pod cannot prove this process's death, because of the platform, or of a setting of
	// the Pod or of Config. The text says which. Identify returns it. If this process crashes, the
	// others wait for the lease duration. Do not retry.
	ErrUnfit = errors.New("evidence: the Pod cannot prove this process's death")

	// ErrIdentity: what a holder published is not an identity of this package. Another version or
	// somebody's edit wrote it. It proves nothing. Do not retry with the same text.
	ErrIdentity = errors.New("evidence: not the identity of a container")
)
