package frameworks

import (
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/hotseat-go/hotseat/singleton/events"
)

// Both recorders of a manager fit.
var (
	_ = func(m manager.Manager) events.Recorder {
		return m.GetEventRecorderFor("invoicer") //nolint:staticcheck // the guide names it, and its successor
	}
	_ = func(m manager.Manager) events.Recorder { return events.FromEvents(m.GetEventRecorder("invoicer")) }
)
