package lookout

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// asked is a client that takes down how long the first List may take.
type asked struct {
	coordclient.LeaseInterface
	first chan time.Duration
}

func (a *asked) List(ctx context.Context, _ metav1.ListOptions) (*coordv1.LeaseList, error) {
	deadline, _ := ctx.Deadline()
	select {
	case a.first <- time.Until(deadline):
	default:
	}
	return nil, errors.New("not now")
}

// The first look of a shared watch has its first subscriber's time, however the two
// are scheduled.
func TestFirstLookOfASharedWatchHasTime(t *testing.T) {
	timing := lease.Timing{LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second}
	for range 5000 {
		client := &asked{first: make(chan time.Duration, 1)}
		log := slog.New(slog.DiscardHandler)
		w := NewShared(client, log)
		finish := w.subscribe(t.Context(), New(&protocol.Lock{Options: protocol.Options{Name: "invoicer", Timing: timing}}, w, log))
		first := <-client.first
		finish()
		require.Greater(t, first, timing.RequestTimeout()/2)
	}
}

// What a slow subscriber has not taken yet: only renewals are dropped, and none
// across a List.
func TestWhatASlowSubscriberKeeps(t *testing.T) {
	look := func(version string, listed bool) protocol.Observation {
		version, free := strings.CutSuffix(version, "f")
		version, foreign := strings.CutSuffix(version, "x")
		l := &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "invoicer", UID: "u", ResourceVersion: version}}
		if n, _ := strconv.Atoi(version); !free {
			holder, renewed := "a", metav1.NewMicroTime(time.Unix(int64(n), 0))
			l.Spec.HolderIdentity, l.Spec.RenewTime = &holder, &renewed
			if !foreign {
				l.Annotations = map[string]string{
					lease.AnnotationEpoch: "7", lease.AnnotationTerm: strings.Repeat("a", 32), lease.AnnotationHolder: holder,
				}
			}
		}
		return protocol.Observation{Listed: listed, Record: protocol.NewRecord(l)}
	}
	for name, test := range map[string]struct{ put, kept string }{
		"a renewal after renewals":              {"1 2 3", "3"},
		"a release":                             {"1 2 3f", "2 3"},
		"another elector's renewals":            {"1x 2x 3x", "1 2 3"},
		"a takeover":                            {"1f 2 3", "1 3"},
		"a list that shows the same":            {"L3 L3", "L3"},
		"a restore to before the last event":    {"2 3 L1", "3 L1"},
		"an event after a list":                 {"L3 4 5", "L3 5"},
		"two restores":                          {"3 L1 2 L1 L1", "3 L1 2 L1"},
		"a list that shows what no event did":   {"L3 L4", "L3 L4"},
		"a list that shows what the event told": {"3 L3", "3 L3"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newQueue()
			for p := range strings.FieldsSeq(test.put) {
				version, listed := strings.CutPrefix(p, "L")
				s.put(look(version, listed))
			}
			var kept []string
			for _, o := range s.take() {
				mark := ""
				if o.Listed {
					mark = "L"
				}
				kept = append(kept, mark+o.Record.ResourceVersion())
			}
			require.Equal(t, test.kept, strings.Join(kept, " "))
		})
	}
}
