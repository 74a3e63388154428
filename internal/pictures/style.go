package main

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/hotseat-go/hotseat/internal/samples"
)

// shade is a color that depends on the reader's theme. The plotting library writes its number, and
// themed puts the variable of a style sheet in that place.
type shade struct {
	variable, light, dark string
	number                uint8
}

func ink() shade      { return shade{"--ink", "#1f2328", "#e6edf3", 1} }
func faint() shade    { return shade{"--faint", "#d1d9e0", "#3d444d", 2} }
func card() shade     { return shade{"--card", "#ffffff", "#0d1117", 3} }
func ours() shade     { return shade{"--ours", "#bc4c00", "#f0883e", 4} }
func theirs() shade   { return shade{"--theirs", "#0969da", "#58a6ff", 5} }
func released() shade { return shade{"--released", "#8250df", "#bc8cff", 6} }
func bare() shade     { return shade{"--bare", "#59636e", "#9198a1", 7} }

func shades() []shade {
	return []shade{ink(), faint(), card(), ours(), theirs(), released(), bare()}
}

// shadeOf is the one of a group: client-go's have one, and what is neither has another.
func shadeOf(group string) shade {
	switch {
	case strings.Contains(group, "ReleaseOnCancel"):
		return released()
	case strings.HasPrefix(group, "client-go"):
		return theirs()
	case strings.HasPrefix(group, "bare"):
		return bare()
	}
	return ours()
}

// RGBA is the color that stands for the shade until themed replaces it.
func (s shade) RGBA() (r, g, b, a uint32) { return s.stand().RGBA() }

func (s shade) stand() color.RGBA { return color.RGBA{s.number, s.number, s.number, 255} }

// hex is how the plotting library writes it.
func (s shade) hex() string { return fmt.Sprintf("#%02X%02X%02X", s.number, s.number, s.number) }

// write is text of a size; sans serif, as pages are.
func write(size vg.Length) text.Style {
	return text.Style{
		Color: ink(), Handler: plot.DefaultTextHandler,
		Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
	}
}

// newPlot is one without data.
func newPlot(unit string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.Transparent
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Tick.Color = faint(), faint()
		label, tick := write(11), write(10)
		label.XAlign, label.YAlign = axis.Label.TextStyle.XAlign, axis.Label.TextStyle.YAlign
		label.Rotation = axis.Label.TextStyle.Rotation
		tick.XAlign, tick.YAlign = axis.Tick.Label.XAlign, axis.Tick.Label.YAlign
		axis.Label.TextStyle, axis.Tick.Label = label, tick
	}
	p.X.Label.Text = unit
	return p
}

// frame draws plots side by side on a card, with a title above and, below, where the data is from.
func frame(title string, height vg.Length, sets []samples.Set, plots ...*plot.Plot) ([]byte, error) {
	const width, margin, head, foot = 640, 14, 26, 34
	canvas := vgsvg.New(width, height)
	all := draw.New(canvas)
	heading, small := write(14), write(9)
	heading.YAlign, small.YAlign = draw.YTop, draw.YBottom
	all.FillText(heading, vg.Point{X: margin, Y: height - margin + 4}, title)
	all.FillText(small, vg.Point{X: margin, Y: margin / 2}, caption(sets))
	each := vg.Length(width-2*margin) / vg.Length(len(plots))
	for i, p := range plots {
		left := margin + each*vg.Length(i)
		p.Draw(draw.Canvas{Canvas: canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: left, Y: foot + margin/2},
			Max: vg.Point{X: left + each - 4, Y: height - head - margin/2},
		}})
	}
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return nil, err
	}
	return themed(out.String(), title+". "+caption(sets)), nil
}

// caption says what the times are, and where they come from.
func caption(sets []samples.Set) string {
	s := sets[0]
	if s.Date == "" { // it is computed
		return fmt.Sprintf("%s.\nDrawn by %s", s.What, s.Command)
	}
	return fmt.Sprintf("%s.\nWritten by %s, %s: %s", s.What, s.Command, s.Date, s.Versions)
}

// themed has the SVG follow the reader's theme, on a card of its own, and tells what it shows to who
// cannot see it.
func themed(svg, alternative string) []byte {
	light, dark := "", ""
	for _, s := range shades() {
		svg = strings.ReplaceAll(svg, s.hex(), "var("+s.variable+")")
		light += s.variable + ":" + s.light + ";"
		dark += s.variable + ":" + s.dark + ";"
	}
	svg = strings.ReplaceAll(svg, "font-family:Liberation Sans;",
		"font-family:Arial,'Liberation Sans',Helvetica,sans-serif;") // which have the same widths
	_, body, _ := strings.Cut(svg, "<svg ")
	tag, body, _ := strings.Cut(body, ">")
	return fmt.Appendf(nil, `<svg role="img" %s>
<title>%s</title>
<style>:root{%s}
@media (prefers-color-scheme: dark){:root{%s}}</style>
<rect width="100%%" height="100%%" rx="8" fill="var(--card)"/>%s`,
		tag, html.EscapeString(strings.ReplaceAll(alternative, "\n", " ")), light, dark, body)
}
