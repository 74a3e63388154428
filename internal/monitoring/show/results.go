package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/hotseat-go/hotseat/internal/monitoring/scraper"
)

const head = `# Results with a real Prometheus

Written by "go run ./show" in internal/monitoring on %s.
%s; %s; %d CPUs.

Three replicas are processes on an API server in the test's own process. Prometheus scrapes them each
second. All times of the alerts are divided by %d, and the lease duration is %v. Every scene begins
when no alert fires and no term has changed for a while. "Fired" is what fired during the scene: the
command fails if that is not what should have.

| | scene | what happens | seconds | fired |
|---|---|---|---|---|
`

// write makes RESULTS.md.
func write(path, version string, played []outcome, panels []scraper.Shown) error {
	var out strings.Builder
	fmt.Fprintf(&out, head, time.Now().UTC().Format(time.DateOnly), version, runtime.Version(),
		runtime.NumCPU(), scraper.Factor, timing().LeaseDuration)
	for i, o := range played {
		fired := strings.Join(o.fired, ", ")
		if fired == "" {
			fired = "none"
		}
		fmt.Fprintf(&out, "| %d | %s | %s | %.0f | %s |\n", i+1, o.name, o.what, o.to.Sub(o.from).Seconds(), fired)
	}
	out.WriteString("\nEvery query of the dashboard returned data. These are its panels:\n\n" +
		"| panel | queries | series | values | least | greatest |\n|---|---|---|---|---|---|\n")
	for _, p := range panels {
		lines, values, least, greatest := 0, 0, 0., 0.
		for _, q := range p.Queries {
			for _, s := range q {
				lines++
				for _, v := range s.Points {
					value := readable(&p, v.Value, v.At)
					if values == 0 {
						least, greatest = value, value
					}
					least, greatest = min(least, value), max(greatest, value)
					values++
				}
			}
		}
		fmt.Fprintf(&out, "| %s | %d | %d | %d | %.3g | %.3g |\n", p.Title, len(p.Queries), lines, values, least, greatest)
	}
	return os.WriteFile(path, []byte(out.String()), 0o644)
}
