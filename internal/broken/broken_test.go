package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/services"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/statuspage"
)

// view is what somebody sees from outside.
type view struct {
	t *testing.T
	s *stand
}

func (v view) get(r *replica, path string) string {
	response, err := http.Get("http://" + r.address + path)
	require.NoError(v.t, err)
	defer func() { require.NoError(v.t, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	require.NoError(v.t, err)
	return string(body)
}

func (v view) page(r *replica) (s statuspage.Status) {
	require.NoError(v.t, json.Unmarshal([]byte(v.get(r, "/status")), &s))
	return s
}

// some reports whether the page of a replica is such.
func (v view) some(match func(statuspage.Status) bool) bool {
	for _, r := range v.s.replicas {
		if match(v.page(r)) {
			return true
		}
	}
	return false
}

// logged reports whether a replica's log has the text.
func (v view) logged(text string) bool {
	for _, r := range v.s.replicas {
		log, err := os.ReadFile(filepath.Join(v.s.folder, r.name+".log"))
		require.NoError(v.t, err)
		if strings.Contains(string(log), text) {
			return true
		}
	}
	return false
}

func (v view) record() lease.Record { return lease.NewRecord(v.s.server.Lease(namespace, service)) }

// bites has, for each fault, how it shows.
func bites() map[string]func(view) bool {
	is := func(state singleton.State) func(statuspage.Status) bool {
		return func(s statuspage.Status) bool { return s.State == state.String() }
	}
	return map[string]func(view) bool{
		"two applications on one Lease": func(v view) bool {
			return v.logged("another program holds the Lease") && !v.some(is(singleton.StateActive))
		},
		"missing right": func(v view) bool { return v.logged("not allowed to watch the Lease") },
		"guard down": func(v view) bool {
			return v.logged("invoice not written") && v.some(func(s statuspage.Status) bool {
				return len(s.Guards) == 1 && !s.Guards[0].Accepted
			})
		},
		"slow API server": func(v view) bool {
			begin := time.Now()
			_, err := v.s.server.Client(v.s.replicas[0].name).Leases(namespace).List(v.t.Context(), metav1.ListOptions{})
			return err == nil && time.Since(begin) >= 3*time.Second && v.some(is(singleton.StateActive))
		},
		"stuck drain": func(v view) bool {
			return v.some(is(singleton.StateDraining)) && !v.some(is(singleton.StateActive)) && v.record().Holder() != ""
		},
		"Lease deleted": func(v view) bool {
			return !v.record().Exists() && v.logged("creating it is not allowed") &&
				v.some(func(s statuspage.Status) bool { return s.LeaseMissing })
		},
		"clock far off": func(v view) bool {
			behind := time.Since(v.record().RenewTime())
			return behind > 39*time.Minute && behind < 41*time.Minute && v.some(is(singleton.StateActive))
		},
		"standby without update": func(v view) bool {
			return v.some(func(s statuspage.Status) bool {
				return s.State == singleton.StateStandby.String() && strings.Contains(s.NotReady, "not allowed to write the Lease")
			}) && v.some(is(singleton.StateActive))
		},
		"wedged work": func(v view) bool {
			return v.written() >= wedgedAfter && v.some(func(s statuspage.Status) bool {
				return slices.ContainsFunc(s.History, func(t statuspage.Term) bool {
					return t.Reason == string(singleton.ReasonStalled)
				})
			})
		},
		"poisoned mark": func(v view) bool { return v.logged("1000000") && !v.grows() },
	}
}

func (v view) written() (n int) {
	require.NoError(v.t, v.s.db.QueryRowContext(v.t.Context(), "SELECT count(*) FROM invoices").Scan(&n))
	return n
}

func (v view) grows() bool {
	before := v.written()
	time.Sleep(1500 * time.Millisecond) // three invoices
	return v.written() > before
}

// Each fault starts, and shows. What is printed does not name it.
func TestFaultsBite(t *testing.T) {
	known := bites()
	require.Len(t, known, len(faults()))
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			bite, found := known[f.name]
			require.True(t, found)
			timing := lease.Timing{
				LeaseDuration: 6 * time.Second, RenewDeadline: 4 * time.Second, RetryPeriod: 500 * time.Millisecond,
			}
			if f.name == "slow API server" {
				timing = lease.Timing{} // as main has it: the default survives answers after 3 s
			}
			s, err := start(t.Context(), f, timing)
			if errors.Is(err, services.ErrMissing) {
				services.Need(t, err)
			}
			require.NoError(t, err)
			t.Cleanup(s.close)
			v := view{t, s}
			for deadline := time.Now().Add(90 * time.Second); !bite(v); time.Sleep(200 * time.Millisecond) {
				require.True(t, time.Now().Before(deadline), "it does not show")
			}
			var text strings.Builder
			s.describe(&text)
			require.Equal(t, 6, strings.Count(text.String(), "\n"))
			require.NotContains(t, text.String(), f.name)
		})
	}
}

// Without a fault, invoices are written, and nothing of the above shows.
func TestSoundService(t *testing.T) {
	s, err := start(t.Context(), fault{}, lease.Timing{})
	if errors.Is(err, services.ErrMissing) {
		services.Need(t, err)
	}
	require.NoError(t, err)
	t.Cleanup(s.close)
	require.NoError(t, s.working(t.Context()))
	v := view{t, s}
	require.Eventually(t, func() bool { return v.written() > wedgedAfter }, time.Minute, 100*time.Millisecond)
	require.Contains(t, v.get(s.replicas[0], "/metrics"), "hotseat_active")
	for name, bite := range bites() {
		require.False(t, bite(v), name)
	}
}

func TestNumbers(t *testing.T) {
	for _, args := range [][]string{nil, {"0"}, {"11"}, {"x"}, {"1", "2"}} {
		require.Error(t, run(context.Background(), args), args)
	}
}

func TestMoved(t *testing.T) {
	const before, after = "at 2026-11-30T23:00:00.000001Z, not 2026-11-30T23:00:00Z", "at 2026-11-30T23:40:00.000001Z, not 2026-11-30T23:00:00Z"
	require.Equal(t, after, string(moved([]byte(before), 40*time.Minute)))
}
