package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/hotseat-go/hotseat/internal/samples"
)

// strip is a picture with a row for each group, a dot for each time, and a line at the median.
type strip struct {
	axis axis
	unit string
}

type axis int

const (
	linear axis = iota
	logarithmic
)

func (s strip) draw(title string, sets []samples.Set) ([]byte, error) {
	p := newPlot(s.unit)
	groups := slices.Clone(sets[0].Groups)
	slices.Reverse(groups) // the first on top
	var names []string
	for i, g := range groups {
		sorted := slices.Sorted(slices.Values(g.Seconds))
		names = append(names, fmt.Sprintf("%s\n%d times, half within %s, all within %s", g.Name, len(sorted),
			tell(quantile(sorted, .5)), tell(quantile(sorted, 1))))
		dots, err := plotter.NewScatter(scatter(g.Seconds, float64(i)))
		if err != nil {
			return nil, err
		}
		dots.Shape, dots.Radius, dots.Color = draw.CircleGlyph{}, 1.7, shadeOf(g.Name)
		half := quantile(sorted, .5)
		median, err := plotter.NewLine(plotter.XYs{
			{X: half, Y: float64(i) - .38}, {X: half, Y: float64(i) + .38}})
		if err != nil {
			return nil, err
		}
		median.Color, median.Width = ink(), 1.2
		p.Add(dots, median)
	}
	p.NominalY(names...)
	p.Y.Tick.Label.XAlign, p.Y.Tick.Label.YAlign = draw.XRight, draw.YCenter
	p.Y.Min, p.Y.Max, p.Y.Width, p.Y.Tick.Width = -.6, float64(len(groups))-.4, 0, 0
	switch s.axis {
	case logarithmic:
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.ConstantTicks(decades())
		p.X.Min, p.X.Max = 1e-3, 10
	case linear:
		p.X.Min, p.X.Max = 0, 5*math.Ceil(p.X.Max/5)
		p.X.Tick.Marker = plot.ConstantTicks(fives(p.X.Max))
	}
	grid := plotter.NewGrid()
	grid.Horizontal.Width, grid.Vertical.Color = 0, faint()
	p.Add(grid)
	return frame(title, vg.Length(120+38*len(groups)), sets, p)
}

// scatter sets times side by side, and up and down within a row, in the order they were measured in.
func scatter(seconds []float64, row float64) plotter.XYs {
	points := make(plotter.XYs, 0, len(seconds))
	for i, s := range seconds {
		const steps = 11
		points = append(points, plotter.XY{X: s, Y: row + .5*(float64(i*7%steps)/(steps-1)-.5)})
	}
	return points
}

func decades() (ticks []plot.Tick) {
	for _, s := range []float64{.001, .01, .1, 1, 10} {
		ticks = append(ticks, plot.Tick{Value: s, Label: tell(s)})
	}
	return ticks
}

func fives(most float64) (ticks []plot.Tick) {
	for s := 0.; s <= most; s += 5 {
		ticks = append(ticks, plot.Tick{Value: s, Label: strconv.FormatFloat(s, 'f', 0, 64)})
	}
	return ticks
}

// quantile is the smallest of the times, in order, that at least the fraction q of them do not exceed.
func quantile(sorted []float64, q float64) float64 {
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

// tell is a time as people read it.
func tell(seconds float64) string {
	value, unit := seconds, " s"
	if 0 < seconds && seconds < 1 {
		value, unit = seconds*1000, " ms"
	}
	return strconv.FormatFloat(value, 'g', 3, 64) + unit
}
