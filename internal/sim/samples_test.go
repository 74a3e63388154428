package sim_test

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"time"

	"github.com/hotseat-go/hotseat/internal/samples"
	"github.com/hotseat-go/hotseat/internal/sim"
)

// pictured is of how many seeds each schedule is kept for the picture.
const pictured = 2000

// kept is for how long nobody, and two, were at work in each schedule of the picture.
type kept struct{ Nobody, Two []time.Duration }

// keep adds a schedule, unless it is none of one elector only: see membership.
func (k *kept) keep(kinds []sim.Kind, x sim.Share) {
	if kinds != nil {
		k.Nobody, k.Two = append(k.Nobody, x.None), append(k.Two, x.Two)
	}
}

func (k *kept) merge(o kept) {
	k.Nobody, k.Two = append(k.Nobody, o.Nobody...), append(k.Two, o.Two...)
}

// keepRows keeps both sets of all rows.
func keepRows(rows []row) error {
	for name, set := range map[string]struct {
		what string
		of   func(kept) []time.Duration
	}{
		"nobody": {"nobody was at work", func(k kept) []time.Duration { return k.Nobody }},
		"two":    {"two were at work", func(k kept) []time.Duration { return k.Two }},
	} {
		s := samples.New("make sim", "for how long "+set.what+
			", in each simulated schedule of five minutes, with one to a dozen faults", clientGo())
		for _, r := range rows {
			s.Add(r.Elector.String(), slices.Sorted(slices.Values(set.of(r.kept))))
		}
		if err := s.Keep("sim-" + name); err != nil {
			return err
		}
	}
	return nil
}

// writeResults makes the file that $SIM_RESULTS names of the tables, if that is set.
func writeResults(from, seeds uint64, took time.Duration, tables string) error {
	path := os.Getenv("SIM_RESULTS")
	if path == "" {
		return nil
	}
	text := fmt.Sprintf(`# Simulated schedules: hotseat beside client-go

Written by `+"`make sim`"+` on %s: %s, %s, on %d CPUs. Seeds %d to %d, a schedule of five
minutes each, played in %v. What is simulated, and what the columns leave out, is in [doc.go](doc.go).

%s`, time.Now().UTC().Format(time.DateOnly), runtime.Version(), clientGo(), runtime.NumCPU(),
		from, from+seeds-1, took.Round(time.Second), tables)
	return os.WriteFile(path, []byte(text), 0o600)
}

// clientGo is the version whose elector is played.
func clientGo() string {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		return "client-go"
	}
	return "client-go " + regexp.MustCompile(`k8s\.io/client-go (\S+)`).FindStringSubmatch(string(mod))[1]
}
