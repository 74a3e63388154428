package events

import "k8s.io/apimachinery/pkg/runtime"

// NewerRecorder is the recorder of client-go's tools/events, and of controller-runtime's
// GetEventRecorder.
type NewerRecorder interface {
	Eventf(regarding, related runtime.Object,
		eventtype, reason, action, note string, args ...any)
}

// FromEvents returns a [Recorder] over one of tools/events. The action of its Events is Elect.
func FromEvents(recorder NewerRecorder) Recorder {
	if recorder == nil {
		return nil
	}
	return newer{recorder}
}

type newer struct{ recorder NewerRecorder }

func (n newer) Eventf(object runtime.Object, eventtype, reason, format string, args ...any) {
	n.recorder.Eventf(object, nil, eventtype, reason, "Elect", format, args...)
}
