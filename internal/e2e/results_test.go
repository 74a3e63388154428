//go:build unix

package e2e

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/internal/controlplane"
	"github.com/hotseat-go/hotseat/internal/e2e/trial"
)

// envResults names the file that becomes RESULTS.md, or that of the oldest minor.
const envResults = "HOTSEAT_E2E_RESULTS"

const resultsHead = `# Results on real API servers

Written by TestFaults and TestPlanes (%s) on %s: %s.
%s, %d CPUs. The file is written only if every test of the run went through.

Each row is a trial of three replicas, which are processes, with a lease duration of %v. "Back within"
is from the fault's end until a replica is active; a crash is over as soon as it has happened. "Slow"
is over the bound, within the %v that a busy machine is forgiven. The rows without a guard are there to
be caught. TestPlanes also holds each of its control planes to the contract of internal/leasetest.
`

// section is a table and its title.
type section struct {
	place int
	title string
	table *trial.Table
}

// results are what this run found.
var results struct {
	mu       sync.Mutex
	versions []string // of Kubernetes and of what it kept its objects in
	sections []section
}

// publish prints a table and keeps it for RESULTS.md.
func publish(s section) {
	fmt.Println(s.title)
	s.table.Print(os.Stdout)
	results.mu.Lock()
	defer results.mu.Unlock()
	results.sections = append(results.sections, s)
}

// noteStore keeps the versions of a control plane.
func noteStore(c *controlplane.Cluster) {
	results.mu.Lock()
	defer results.mu.Unlock()
	for _, v := range []string{"Kubernetes " + c.Version, c.StoreVersion} {
		if v != "" && !slices.Contains(results.versions, v) {
			results.versions = append(results.versions, v)
		}
	}
}

// writeResults writes the file that the environment names, if it names one.
func writeResults() error {
	path := os.Getenv(envResults)
	if path == "" || len(results.sections) == 0 {
		return nil
	}
	by := "`make e2e`"
	if minor := os.Getenv(controlplane.EnvKubernetes); minor != "" {
		by = fmt.Sprintf("`%s=%s make e2e`", controlplane.EnvKubernetes, minor)
	}
	var b strings.Builder
	fmt.Fprintf(&b, resultsHead, by, time.Now().UTC().Format(time.DateOnly),
		strings.Join(results.versions, ", "), runtime.Version(), runtime.NumCPU(),
		timing().LeaseDuration, noise)
	slices.SortFunc(results.sections, func(x, y section) int { return cmp.Compare(x.place, y.place) })
	for _, s := range results.sections {
		fmt.Fprintf(&b, "\n## %s\n\n", s.title)
		s.table.Print(&b)
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}
