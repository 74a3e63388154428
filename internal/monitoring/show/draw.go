package main

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/hotseat-go/hotseat/internal/monitoring/scraper"
)

// drawPanels writes a picture of the dashboard. The scenes are grey strips, numbered as in RESULTS.md.
func drawPanels(folder string, panels []scraper.Shown, played []outcome) error {
	const columns = 3
	rows := (len(panels) + columns - 1) / columns
	grid := make([][]*plot.Plot, rows)
	for i := range grid {
		grid[i] = make([]*plot.Plot, columns)
	}
	for i, panel := range panels {
		p, err := plotPanel(&panel, played)
		if err != nil {
			return fmt.Errorf("panel %q: %w", panel.Title, err)
		}
		grid[i/columns][i%columns] = p
	}
	canvas := vgimg.NewWith(vgimg.UseWH(columns*16*vg.Centimeter, vg.Length(rows)*8*vg.Centimeter), vgimg.UseDPI(72))
	tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: vg.Millimeter, PadY: 3 * vg.Millimeter}
	for i, row := range plot.Align(grid, tiles, draw.New(canvas)) {
		for j, c := range row {
			if grid[i][j] != nil {
				grid[i][j].Draw(c)
			}
		}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(folder, "dashboard.png"))
	if err != nil {
		return err
	}
	if _, err := (vgimg.PngCanvas{Canvas: canvas}).WriteTo(f); err != nil {
		return err
	}
	return f.Close()
}

// plotPanel is one panel: seconds since the first scene from left to right.
func plotPanel(s *scraper.Shown, played []outcome) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = s.Title
	p.Title.TextStyle.Font.Size = 11
	p.Legend.Top, p.Legend.Left, p.Legend.YOffs = true, true, -4*vg.Millimeter // below the numbers
	p.Legend.TextStyle.Font.Size = 8
	p.Y.Min = 0
	zero := played[0].from
	at := func(t time.Time) float64 { return t.Sub(zero).Seconds() }
	n := 0
	for i, query := range s.Queries {
		for _, one := range query {
			points := make(plotter.XYs, 0, len(one.Points))
			for k, v := range one.Points {
				if k > 0 && v.At.Sub(one.Points[k-1].At) > 3*time.Second { // a gap
					points = append(points, plotter.XY{X: at(one.Points[k-1].At) + 1, Y: 0})
				}
				points = append(points, plotter.XY{X: at(v.At), Y: readable(s, v.Value, v.At)})
			}
			line, err := plotter.NewLine(points)
			if err != nil {
				return nil, err
			}
			line.StepStyle, line.Color, line.Width = plotter.PostStep, plotutil.Color(n), vg.Points(1.2)
			p.Add(line)
			if n < 8 {
				p.Legend.Add(legend(s.Targets[i].LegendFormat, one.Labels), line)
			}
			n++
		}
	}
	top := math.Max(p.Y.Max, 1) * 1.15
	p.Y.Max = top
	for i, o := range played {
		strip, err := plotter.NewPolygon(plotter.XYs{{X: at(o.from)}, {X: at(o.to)}, {X: at(o.to), Y: top}, {X: at(o.from), Y: top}})
		if err != nil {
			return nil, err
		}
		strip.Color, strip.LineStyle.Width = color.RGBA{0, 0, 0, 18}, 0
		number, err := plotter.NewLabels(plotter.XYLabels{
			XYs: plotter.XYs{{X: at(o.to), Y: top * .94}}, Labels: []string{strconv.Itoa(i + 1)},
		})
		if err != nil {
			return nil, err
		}
		number.TextStyle[0].XAlign = draw.XRight
		p.Add(strip, number)
	}
	return p, nil
}

// readable is a time since when as how long ago that was.
func readable(s *scraper.Shown, value float64, at time.Time) float64 {
	if s.FieldConfig.Defaults.Unit == "dateTimeFromNow" && value > 0 {
		return float64(at.UnixMilli())/1000 - value/1000
	}
	return value
}

// legend puts labels into a format such as {{pod}}.
func legend(format string, labels map[string]string) string {
	return regexp.MustCompile(`\{\{(\w+)\}\}`).ReplaceAllStringFunc(format, func(s string) string {
		return labels[s[2:len(s)-2]]
	})
}
