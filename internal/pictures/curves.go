package main

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/hotseat-go/hotseat/internal/samples"
)

// most is the longest time on the axis. What is longer is not shown, but is in the mean.
const most = 100

// drawCurves draws a plot for each set: in how many schedules of a hundred the time was longer than x.
func drawCurves(title string, sets []samples.Set) ([]byte, error) {
	var plots []*plot.Plot
	for i, s := range sets {
		p := newPlot([]string{"nobody at work for longer than", "two at work for longer than"}[i])
		p.X.Label.Text += ", in seconds"
		p.Y.Label.Text = fmt.Sprintf("%% of %d schedules", len(s.Groups[0].Seconds))
		p.Legend.Top, p.Legend.TextStyle = true, write(9)
		for _, g := range s.Groups {
			line, err := plotter.NewLine(longer(g.Seconds))
			if err != nil {
				return nil, err
			}
			line.Color, line.Width = shadeOf(g.Name), 1.6
			p.Add(line)
			p.Legend.Add(fmt.Sprintf("%s: mean %s", g.Name, tell(mean(g.Seconds))), line)
		}
		grid := plotter.NewGrid()
		grid.Horizontal.Color, grid.Vertical.Color = faint(), faint()
		p.Add(grid)
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, most, 0, 100
		plots = append(plots, p)
	}
	return frame(title, vg.Length(300), sets, plots...)
}

// longer is the share of the times, in percent, that are longer than each whole second up to most.
func longer(seconds []float64) plotter.XYs {
	points := make(plotter.XYs, most+1)
	for x := range points {
		points[x].X = float64(x)
		for _, s := range seconds {
			if s > float64(x) {
				points[x].Y += 100 / float64(len(seconds))
			}
		}
	}
	return points
}

func mean(seconds []float64) (m float64) {
	for _, s := range seconds {
		m += s / float64(len(seconds))
	}
	return m
}
