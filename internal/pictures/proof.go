package main

import (
	"fmt"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/hotseat-go/hotseat/internal/samples"
	"github.com/hotseat-go/hotseat/lease"
)

// bar is a stretch of time in a row of the proof's picture, in seconds of the active's clock.
type bar struct {
	row      int
	from, to float64
	of       shade
	text     string
}

// drawProof draws the default timings: what an active and a standby do after the last renewal.
func drawProof(title string, _ []samples.Set) ([]byte, error) {
	timing := lease.Timing{}.WithDefaults()
	deadline, budget := timing.RenewDeadline.Seconds(), timing.StopBudget().Seconds()
	wait, fastest := timing.LeaseDuration.Seconds(), deadline+budget
	// The standby sees the renewal after it was sent. How much later makes no difference.
	const seen = .25
	p := newPlot("seconds of the active's clock since its last renewal was sent")
	bars := []bar{
		{2, 0, deadline, ours(), fmt.Sprintf("the term is valid: RenewDeadline, %s", tell(deadline))},
		{2, deadline, fastest, bare(), fmt.Sprintf("stop budget, %s", tell(budget))},
		{1, seen, seen + fastest, theirs(), fmt.Sprintf("waits for LeaseDuration: %s of its own clock", tell(wait))},
		{0, seen, seen + wait, theirs(), fmt.Sprintf("waits for LeaseDuration: %s of its own clock", tell(wait))},
	}
	for _, b := range bars {
		if err := b.add(p); err != nil {
			return nil, err
		}
	}
	end, err := plotter.NewLine(plotter.XYs{{X: fastest, Y: -.6}, {X: fastest, Y: 2.6}})
	if err != nil {
		return nil, err
	}
	end.Color, end.Width, end.Dashes = ink(), 1, []vg.Length{3, 3}
	p.Add(end)
	p.NominalY("a standby whose clock\nis as fast", fmt.Sprintf("a standby whose clock\nis %.0f %% faster", 100*timing.MaxClockDrift), "the active's work")
	p.Y.Tick.Label.XAlign, p.Y.Tick.Label.YAlign = draw.XRight, draw.YCenter
	p.Y.Min, p.Y.Max, p.Y.Width, p.Y.Tick.Width = -.6, 2.6, 0, 0
	p.X.Min, p.X.Max = 0, seen+wait+.5
	p.X.Tick.Marker = plot.ConstantTicks(fives(p.X.Max))
	told := samples.Set{Head: samples.Head{Command: "go run . in internal/pictures"}}
	told.What = fmt.Sprintf("Dashed: work has returned by then, %s after the renewal was sent. "+
		"No standby starts before it", time.Duration(fastest*float64(time.Second)).Round(time.Millisecond))
	return frame(title, 220, []samples.Set{told}, p)
}

func (b bar) add(p *plot.Plot) error {
	low, high := float64(b.row)-.3, float64(b.row)+.3
	box, err := plotter.NewPolygon(plotter.XYs{
		{X: b.from, Y: low}, {X: b.to, Y: low}, {X: b.to, Y: high}, {X: b.from, Y: high}})
	if err != nil {
		return err
	}
	box.Color, box.Width = b.of, 0
	text, err := plotter.NewLabels(plotter.XYLabels{
		XYs: plotter.XYs{{X: (b.from + b.to) / 2, Y: float64(b.row)}}, Labels: []string{b.text}})
	if err != nil {
		return err
	}
	text.TextStyle[0] = write(10)
	text.TextStyle[0].Color = card()
	text.TextStyle[0].XAlign, text.TextStyle[0].YAlign = draw.XCenter, draw.YCenter
	p.Add(box, text)
	return nil
}
