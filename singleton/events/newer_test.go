package events_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/hotseat-go/hotseat/singleton/events"
)

// newerRecorder has the form of tools/events.
type newerRecorder struct{ *recorder }

func (n newerRecorder) Eventf(regarding, related runtime.Object, severity, reason, action, note string, args ...any) {
	n.recorder.Eventf(regarding, severity, reason+" "+action, note, args...)
}

func TestNewerRecorders(t *testing.T) {
	r := &recorder{}
	events.FromEvents(newerRecorder{r}).Eventf(nil, "Normal", "BecameActive", "%d", 7)
	require.Equal(t, []string{"Normal BecameActive Elect 7"}, r.told)
}
