package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hotseat-go/hotseat/internal/samples"
)

const (
	samplesDir = "samples"
	picsDir    = "../docs/pictures"
)

func main() {
	if err := drawAll(samplesDir, picsDir); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

// drawAll draws every picture from the sets in a folder into another one.
func drawAll(from, to string) error {
	for _, p := range pictures() {
		svg, err := p.draw(from)
		if err != nil {
			return fmt.Errorf("draw %s: %w", p.name, err)
		}
		if err := os.WriteFile(filepath.Join(to, p.name+".svg"), svg, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// picture is one file.
type picture struct {
	name  string
	title string
	sets  []string // that it is drawn from
	with  func(title string, sets []samples.Set) ([]byte, error)
}

func pictures() []picture {
	return []picture{
		{"handover", "Graceful handover: how long until the next replica works", []string{"handover"},
			strip{axis: logarithmic, unit: "time, on a logarithmic axis"}.draw},
		{"crash", "Failover after a crash, without evidence", []string{"crash"},
			strip{unit: "seconds"}.draw},
		{"deaths", "Failover after a crash, with evidence and without, on real nodes", []string{"deaths"},
			strip{unit: "seconds"}.draw},
		{"availability", "Simulated faults: nobody at work, and two at work", []string{"sim-nobody", "sim-two"},
			drawCurves},
		{"proof", "Why two never work at once: the default timings", nil, drawProof},
	}
}

func (p picture) draw(from string) ([]byte, error) {
	var sets []samples.Set
	for _, name := range p.sets {
		s, err := samples.Read(from, name)
		if err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	return p.with(p.title, sets)
}
